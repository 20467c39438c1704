//! What a caller is told when something is wrong: RFC 9457 problem documents.

use axum::Json;
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use egret_store::StoreError;
use serde::{Deserialize, Serialize};

/// Seconds after which an overloaded server may be asked again.
const RETRY_AFTER_S: u64 = 2;

/// A problem as it is sent: `application/problem+json`, RFC 9457.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Identifies the kind of problem: `urn:egret:problem:` and a word.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem, for people.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong in this case, and what helps.
    pub detail: String,
    /// The path of the request.
    pub instance: String,
}

/// The kinds of problem that callers can tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    BadPath,
    BadQuery,
    BadBody,
    Unauthenticated,
    Forbidden,
    CrossOrigin,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    Internal,
    Overloaded,
    Timeout,
    NotReady,
    StoreFull,
}

impl Kind {
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::BadPath => (S::BAD_REQUEST, "bad-path", "The path cannot be read"),
            Self::BadQuery => (S::BAD_REQUEST, "bad-query", "The query cannot be read"),
            Self::BadBody => (S::BAD_REQUEST, "bad-body", "The request body cannot be read"),
            Self::Unauthenticated => {
                (S::UNAUTHORIZED, "unauthenticated", "A valid token is needed")
            }
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "The token does not allow this"),
            Self::CrossOrigin => (S::FORBIDDEN, "cross-origin", "Request from another site"),
            Self::NotFound => (S::NOT_FOUND, "not-found", "There is no such thing"),
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed")
            }
            Self::Conflict => (S::CONFLICT, "conflict", "It does not fit what is there"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too-large", "The request is too large"),
            Self::UnsupportedMediaType => {
                (S::UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "JSON is expected")
            }
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal", "Egret failed"),
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", "Too many requests"),
            Self::Timeout => (S::SERVICE_UNAVAILABLE, "timeout", "The request took too long"),
            Self::NotReady => (S::SERVICE_UNAVAILABLE, "not-ready", "Not ready"),
            Self::StoreFull => (S::INSUFFICIENT_STORAGE, "store-full", "The store is full"),
        }
    }
}

/// Something is wrong with a request, or with Egret.
///
/// As a response it has no body yet: [`render`] writes it, because only there the path is known.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
}

/// What a handler returns.
pub(crate) type Outcome<T> = Result<T, Problem>;

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    fn document(self, path: &str) -> ProblemDocument {
        let (status, word, title) = self.kind.parts();
        ProblemDocument {
            kind: format!("urn:egret:problem:{word}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            instance: path.to_owned(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.kind.parts().0.into_response();
        let headers = response.headers_mut();
        match self.kind {
            Kind::Unauthenticated => {
                headers
                    .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"egret\""));
            }
            Kind::Overloaded | Kind::Timeout | Kind::NotReady => {
                headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
            }
            _ => {}
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadQuery(what) => Self::new(Kind::BadQuery, what),
            StoreError::NotFound { .. } => Self::new(Kind::NotFound, error.to_string()),
            StoreError::Exists { .. } => Self::new(Kind::Conflict, error.to_string()),
            StoreError::Full { .. } => {
                Self::new(Kind::StoreFull, "no space left for the store: see Egret's log")
            }
            // What SQLite says may hold paths and statements: it goes into the log only.
            internal => {
                tracing::error!(error = %internal, "a request failed in the store");
                Self::new(Kind::Internal, "the store failed: see Egret's log")
            }
        }
    }
}

/// Middleware: writes the document of every response that is a problem, our own or the
/// framework's.
pub(crate) async fn render(request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status();
    let problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None if status == StatusCode::METHOD_NOT_ALLOWED => {
            // The router adds the header later than here.
            let what = "the header `allow` names the methods of this path";
            Problem::new(Kind::MethodNotAllowed, what)
        }
        None => return response,
    };
    let (mut parts, _) = response.into_parts();
    let body = Json(problem.document(&path)).into_response();
    parts.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    Response::from_parts(parts, body.into_body())
}
