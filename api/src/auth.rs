//! Who is asking, and what they may do.
//!
//! A token is 256 random bits. Only its BLAKE3 hash is stored, and a token is looked up by that
//! hash. How long the look-up takes may tell a little about stored hashes, but that helps nobody:
//! what must be guessed is a token, and the hash of a guess cannot be steered. So nothing is
//! compared in constant time; and 256 bits need no slow password hash.

use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, COOKIE};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use egret_event::{SmolStr, Timestamp};
use egret_store::{Role, TokenRow};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Mutex;

use crate::app::{App, Shared};
use crate::origin::refuse_other_origins;
use crate::problem::{Kind, Outcome, Problem};

/// The cookie that carries a browser's token.
pub(crate) const COOKIE_NAME: &str = "egret_token";

/// What every token begins with, so that secret scanners can find leaked ones.
const PREFIX: &str = "egret_";

/// How long the tokens are remembered: what `egret token` does takes effect within this time.
const TOKENS_FRESH: Duration = Duration::from_secs(5);

/// Who the caller is where no token is needed.
const LOCAL_NAME: &str = "local";

/// A new token: the secret to show once, and its hash to store.
///
/// # Panics
/// When the operating system has no random numbers; then nothing secret can be made at all.
pub fn new_token() -> (String, [u8; 32]) {
    let mut secret = [0; 32];
    SystemRandom::new().fill(&mut secret).expect("the operating system gives random numbers");
    let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let hash = hash_of(&token);
    (token, hash)
}

fn hash_of(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

/// Whoever sent a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The name of their token.
    pub(crate) name: SmolStr,
    pub(crate) role: Role,
    pub(crate) proof: Proof,
}

/// How a caller proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// They are on this machine, and no token is needed.
    Local,
    /// The Authorization header: a browser never sends it of its own accord.
    Header([u8; 32]),
    /// The cookie: a browser sends it of its own accord.
    Cookie([u8; 32]),
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// To be known at all.
    AnyRole,
    /// To read.
    Read,
    /// To work on incidents and suppressions.
    Work,
    /// To register executors.
    Register,
}

impl Need {
    /// Whether `role` is enough. Registering is no lesser form of reading: who can say which
    /// executor an address is can shift blame, so viewers and analysts cannot.
    fn is_met_by(self, role: Role) -> bool {
        match self {
            Self::AnyRole => true,
            Self::Read => role >= Role::Viewer,
            Self::Work => role >= Role::Analyst,
            Self::Register => matches!(role, Role::Collector | Role::Admin),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::AnyRole => "any role",
            Self::Read => "the role viewer, analyst or admin",
            Self::Work => "the role analyst or admin",
            Self::Register => "the role collector or admin",
        }
    }
}

/// The tokens as they were a few seconds ago.
#[derive(Default)]
pub(crate) struct Tokens(Mutex<Known>);

#[derive(Default)]
struct Known {
    read_at: Option<Timestamp>,
    by_hash: HashMap<[u8; 32], TokenRow>,
}

impl Known {
    /// A clock that was set back makes the tokens stale at once, not fresh for longer.
    fn is_fresh(&self, now: Timestamp) -> bool {
        self.read_at.is_some_and(|read_at| read_at <= now && now.since(read_at) < TOKENS_FRESH)
    }
}

impl App {
    /// The token of that hash, unless it has expired.
    pub(crate) async fn token(&self, hash: &[u8; 32]) -> Outcome<Option<TokenRow>> {
        let mut known = self.tokens.0.lock().await;
        let now = self.now();
        if !known.is_fresh(now) {
            let rows = self.ask(|outside| outside.store.tokens()).await?;
            known.by_hash = rows.into_iter().map(|row| (row.hash, row)).collect();
            known.read_at = Some(now);
        }
        let valid = |row: &&TokenRow| row.expires_at.is_none_or(|expires_at| now < expires_at);
        Ok(known.by_hash.get(hash).filter(valid).cloned())
    }

    /// The token of that secret, unless it has expired.
    pub(crate) async fn token_of_secret(&self, secret: &str) -> Outcome<Option<TokenRow>> {
        self.token(&hash_of(secret)).await
    }

    /// Whoever sent a request with these headers.
    pub(crate) async fn caller(&self, headers: &HeaderMap) -> Outcome<Caller> {
        if !self.outside.require_token {
            return Ok(Caller { name: LOCAL_NAME.into(), role: Role::Admin, proof: Proof::Local });
        }
        let proof = proof(headers).ok_or_else(|| {
            let what = "send a token: `authorization: Bearer egret_…` (see `egret token create`)";
            Problem::new(Kind::Unauthenticated, what)
        })?;
        let row = match &proof {
            Proof::Header(hash) | Proof::Cookie(hash) => self.token(hash).await?,
            Proof::Local => None,
        };
        let Some(row) = row else {
            let what = "the token is not known, was removed, or has expired";
            return Err(Problem::new(Kind::Unauthenticated, what));
        };
        Ok(Caller { name: row.name, role: row.role, proof })
    }

    /// Whether a caller who was let in would still be.
    pub(crate) async fn is_still_let_in(&self, proof: &Proof) -> bool {
        match proof {
            Proof::Local => true,
            Proof::Header(hash) | Proof::Cookie(hash) => {
                matches!(self.token(hash).await, Ok(Some(row)) if Need::Read.is_met_by(row.role))
            }
        }
    }
}

/// What the headers prove. The Authorization header wins over the cookie.
fn proof(headers: &HeaderMap) -> Option<Proof> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Proof::Header(hash_of(token.trim())));
    }
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == COOKIE_NAME)
        .map(|(_, token)| Proof::Cookie(hash_of(token)))
}

/// Middleware: lets through who meets the need, and tells the handler who it is.
pub(crate) async fn require(
    State((app, need)): State<(Shared, Need)>,
    mut request: Request,
    next: Next,
) -> Outcome<Response> {
    let caller = app.caller(request.headers()).await?;
    if !need.is_met_by(caller.role) {
        let what = format!("this needs {}; the token {:?} has not", need.words(), caller.name);
        return Err(Problem::new(Kind::Forbidden, what));
    }
    if !is_safe(request.method()) {
        refuse_other_origins(&app, request.headers(), &caller.proof)?;
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_256_random_bits_and_its_hash_finds_it() {
        let (token, hash) = new_token();
        let secret = token.strip_prefix("egret_").unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(secret).unwrap().len(), 32);
        assert_eq!(secret.len(), 43);
        assert_eq!(hash, hash_of(&token));
        assert_ne!(new_token().0, token);
    }

    #[test]
    fn the_header_wins_over_the_cookie_and_another_scheme_proves_nothing() {
        let mut headers = HeaderMap::new();
        assert_eq!(proof(&headers), None);
        headers.insert(COOKIE, "theme=dark; egret_token=b".parse().unwrap());
        assert_eq!(proof(&headers), Some(Proof::Cookie(hash_of("b"))));
        headers.insert(AUTHORIZATION, "bearer a".parse().unwrap());
        assert_eq!(proof(&headers), Some(Proof::Header(hash_of("a"))));
        headers.insert(AUTHORIZATION, "Basic a".parse().unwrap());
        assert_eq!(proof(&headers), None);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_the_tokens_stale() {
        let known = Known { read_at: Some(Timestamp::from_secs(100)), ..Known::default() };
        assert!(known.is_fresh(Timestamp::from_secs(104)));
        assert!(!known.is_fresh(Timestamp::from_secs(105)));
        assert!(!known.is_fresh(Timestamp::from_secs(99)));
    }
}
