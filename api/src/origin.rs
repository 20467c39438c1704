//! Requests that another web page makes a browser send.
//!
//! Two dangers. A page can post to us with the browser's cookie, or to a server on loopback that
//! asks for no token (request forgery). And a page's own name can be made to resolve to 127.0.0.1,
//! so that the browser takes us for that page's server (DNS rebinding).

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::middleware::Next;
use axum::response::Response;

use crate::app::{App, Shared};
use crate::auth::Proof;
use crate::problem::{Kind, Outcome, Problem};

/// A header that a page of another origin cannot set without asking us first (CORS), which we
/// never allow.
const OWN_HEADER: &str = "x-egret-request";

/// Refuses a request that changes something, when another site's page may have caused it.
pub(crate) fn refuse_other_origins(app: &App, headers: &HeaderMap, proof: &Proof) -> Outcome<()> {
    let own_header = headers.get(OWN_HEADER).is_some_and(|value| value == "1");
    let origin = headers.get(ORIGIN).map(|origin| is_own(app, headers, origin.to_str().ok()));
    let may_pass = match proof {
        // Only the one who knows the token can send it in this header.
        Proof::Header(_) => true,
        // A program such as curl sends no Origin; a browser always does when it changes something.
        Proof::Local => origin.unwrap_or(true),
        Proof::Cookie(_) => own_header || origin.unwrap_or(false),
    };
    if may_pass {
        return Ok(());
    }
    let what = "this request comes from another site; send `x-egret-request: 1` from Egret's own \
                page, or use a token in the authorization header";
    Err(Problem::new(Kind::CrossOrigin, what))
}

/// Whether an origin is the one that this request was sent to, or the configured public one.
///
/// The scheme is not compared: behind a proxy that ends TLS we do not know it.
fn is_own(app: &App, headers: &HeaderMap, origin: Option<&str>) -> bool {
    let Some(origin) = origin else { return false };
    let public = app.outside.config.public_origin.as_deref();
    if public.is_some_and(|public| public.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    matches!((authority, host), (Some(a), Some(b)) if a.eq_ignore_ascii_case(b))
}

/// Middleware: where no token is needed, lets through only requests that name this machine.
pub(crate) async fn refuse_rebinding(
    State(app): State<Shared>,
    request: Request,
    next: Next,
) -> Outcome<Response> {
    if !app.outside.require_token && !names_loopback(request.headers(), request.uri()) {
        let what = "without tokens Egret answers to localhost, 127.0.0.1 and [::1] only";
        return Err(Problem::new(Kind::CrossOrigin, what));
    }
    Ok(next.run(request).await)
}

fn names_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => uri.authority().map(|authority| authority.as_str()),
        (Some(_), Some(_)) => None,
    };
    named.is_some_and(is_loopback)
}

/// Whether the host of a Host header is this machine, whatever the port.
///
/// A literal address is as safe as the name `localhost`: only names can be made to resolve to
/// another address.
fn is_loopback(named: &str) -> bool {
    let end =
        if named.starts_with('[') { named.find(']').map(|at| at + 1) } else { named.find(':') };
    let (host, port) = named.split_at(end.unwrap_or(named.len()));
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_own = |address: IpAddr| address.to_canonical().is_loopback();
    is_port(port) && (host.eq_ignore_ascii_case("localhost") || literal.parse().is_ok_and(is_own))
}

/// Nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        names_loopback(&headers, &Uri::from_static("/"))
    }

    #[test]
    fn only_this_machines_own_names_pass_with_any_port() {
        for own in
            ["localhost", "LocalHost:8787", "127.0.0.1", "127.0.0.2:80", "[::1]:8787", "[::1]"]
        {
            assert!(named(own), "{own} was refused");
        }
        for other in [
            "evil.example",
            "localhost.evil.example",
            "localhost:80.evil.example",
            "127.0.0.1.nip.io",
            "127.0.0.1:x",
            "10.0.0.1",
            "[::2]",
            "[::1",
            "::1",
            ":80",
            "[::1].evil.example",
            "",
        ] {
            assert!(!named(other), "{other} was let through");
        }
    }

    #[test]
    fn two_host_headers_or_none_do_not_pass() {
        let mut headers = HeaderMap::new();
        assert!(!names_loopback(&headers, &Uri::from_static("/")));
        headers.append(HOST, "localhost".parse().unwrap());
        headers.append(HOST, "evil.example".parse().unwrap());
        assert!(!names_loopback(&headers, &Uri::from_static("/")));
    }
}
