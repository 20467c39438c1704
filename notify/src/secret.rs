//! Secrets: the keys that sign webhooks, tokens, passwords. They are never printed, and never written in the
//! configuration.

use std::fmt;
use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use reqwest::header::HeaderValue;
use ring::hmac;

use crate::config::Wrong;

/// What a written secret begins with (Standard Webhooks 1.0.0, "Signature scheme").
const PREFIX: &str = "whsec_";

/// Length of a key in bytes, from the same place.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// While a secret is rotated the old and the new one sign together; more have no use.
const MAX_KEYS: usize = 2;

/// Where a secret of a target is: in a file or in an environment variable, each with the key that names it. The
/// configuration itself holds none, because it is shown, copied and versioned.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SecretSource<'a> {
    pub(crate) file: (&'static str, Option<&'a Path>),
    pub(crate) env: (&'static str, Option<&'a str>),
    /// What it is, for who has to put it there.
    pub(crate) what: &'static str,
}

impl SecretSource<'_> {
    /// Whether the configuration names one.
    pub(crate) fn is_given(&self) -> bool {
        self.file.1.is_some() || self.env.1.is_some()
    }

    /// Reads it as what `parse` makes of it. No error quotes it.
    pub(crate) fn read_as<T>(
        self,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, Wrong> {
        let ((file_key, file), (env_key, env)) = (self.file, self.env);
        let (key, text) = match (file, env) {
            (Some(path), None) => {
                let text = std::fs::read_to_string(path);
                let problem = |error| format!("cannot read {}: {error}", path.display());
                (file_key, text.map_err(problem))
            }
            (None, Some(variable)) => (
                env_key,
                std::env::var(variable).map_err(|_| {
                    format!("the environment variable {variable:?} is not set, or is not text")
                }),
            ),
            (None, None) => {
                let what = self.what;
                let problem = format!(
                    "is missing: name a file or, with {env_key}, an environment variable that holds {what}"
                );
                (file_key, Err(problem))
            }
            (Some(_), Some(_)) => {
                (env_key, Err(format!("stands beside {file_key}: keep one of the two")))
            }
        };
        text.and_then(|text| parse(&text)).map_err(|problem| Wrong::new(key, problem))
    }
}

/// A token or password, on one line.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    /// From the text of a file or variable, without the white space around it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let token = text.trim();
        if token.is_empty() {
            return Err("holds no secret: put it there, alone".to_owned());
        }
        if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("holds a secret with white space or other than ASCII in it".to_owned());
        }
        Ok(Self(token.to_owned()))
    }

    /// The secret itself, for the receiver and nobody else.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// The value of an `Authorization` header, behind what has to stand before the secret there (`Bearer `). It does
    /// not show in debug output either.
    pub(crate) fn header(&self, before: &str) -> HeaderValue {
        let mut value = HeaderValue::from_str(&format!("{before}{}", self.0))
            .expect("a token is printable ASCII");
        value.set_sensitive(true);
        value
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(hidden)")
    }
}

/// One key, or two while the secret is rotated.
#[derive(Clone)]
pub(crate) struct SigningKeys(Vec<hmac::Key>);

impl SigningKeys {
    /// From the text of a secret file or variable: `whsec_…`, or two of them with white space in
    /// between. The error says what is wrong without quoting the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let keys = text.split_whitespace().map(key).collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err("holds no secret: put whsec_ and 24 to 64 bytes in base64 there".to_owned()),
            1..=MAX_KEYS => Ok(Self(keys)),
            n => Err(format!("holds {n} secrets; at most {MAX_KEYS} sign during a rotation")),
        }
    }

    /// The value of `webhook-signature`: one signature per key, separated by spaces.
    pub(crate) fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp_s}.{body}");
        let signatures = self.0.iter().map(|key| {
            format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, signed.as_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &str) -> Result<hmac::Key, String> {
    let encoded = secret
        .strip_prefix(PREFIX)
        .ok_or_else(|| format!("holds a secret that does not begin with {PREFIX}"))?;
    let bytes = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| format!("holds a secret that is not base64 after {PREFIX}"))?;
    if !KEY_BYTES.contains(&bytes.len()) {
        return Err(format!("holds a secret of {} bytes; 24 to 64 are needed", bytes.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} hidden)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks reference implementations.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example_gets_the_published_signature() {
        let keys = SigningKeys::parse(SECRET).unwrap();
        assert_eq!(
            keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn two_secrets_sign_side_by_side() {
        let other = format!("whsec_{}", BASE64_STANDARD.encode([7; 32]));
        let both = SigningKeys::parse(&format!("{other}\n{SECRET}\n")).unwrap();
        let each = [&other, SECRET].map(|one| SigningKeys::parse(one).unwrap().sign("i", 1, "b"));
        assert_eq!(both.sign("i", 1, "b"), each.join(" "));
    }

    #[test]
    fn unusable_secrets_are_refused_without_being_quoted() {
        for (wrong, says) in [
            ("", "holds no secret"),
            ("hunter2hunter2", "begin with whsec_"),
            ("whsec_hunter2*", "not base64"),
            ("whsec_aHVudGVyMg==", "7 bytes"),
        ] {
            let error = SigningKeys::parse(wrong).unwrap_err();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("aHVudGVy"), "{error}");
        }
        let keys = SigningKeys::parse(SECRET).unwrap();
        assert_eq!(format!("{keys:?}"), "SigningKeys(1 hidden)");
    }
}
