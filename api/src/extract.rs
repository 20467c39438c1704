//! Extractors that answer with a problem document: path, query and JSON body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::IntoResponse;
use egret_event::SmolStr;
use serde::Deserialize;
use serde::de::{self, DeserializeOwned, Deserializer, Unexpected};

use crate::problem::{Kind, Problem};

/// Largest request body, in bytes. The largest real one, 500 ids and a comment, is under 50 KiB.
pub(crate) const MAX_BODY_BYTES: usize = 1 << 20;

/// Longest text in a query, in bytes: no name in Egret is longer.
const MAX_TEXT_BYTES: usize = 256;

/// The variable part of the path.
pub(crate) struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(Kind::BadPath, rejection.body_text())),
        }
    }
}

/// The query. Unknown parameters are refused; a repeated one makes a list.
pub(crate) struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let source = serde_html_form::Deserializer::from_bytes(query.as_bytes());
        serde_path_to_error::deserialize(source)
            .map(Self)
            .map_err(|error| Problem::new(Kind::BadQuery, describe("parameter", &error)))
    }
}

/// A JSON body. Unknown keys are refused where the type says so.
pub(crate) struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(&request) {
            return Err(Problem::new(
                Kind::UnsupportedMediaType,
                "send the body as JSON, with content-type: application/json",
            ));
        }
        let body = read(request, state).await?;
        parse(&body).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct OptionalJson<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if is_json(&request) {
            let body = read(request, state).await?;
            let value = if body.is_empty() { None } else { parse::<Option<T>>(&body)? };
            return Ok(Self(value.unwrap_or_default()));
        }
        if read(request, state).await?.is_empty() {
            return Ok(Self(T::default()));
        }
        Err(Problem::new(
            Kind::UnsupportedMediaType,
            "send the body as JSON, with content-type: application/json, or no body",
        ))
    }
}

fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.and_then(|kind| kind.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| {
        if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(Kind::TooLarge, format!("a body may have up to {MAX_BODY_BYTES} bytes"))
        } else {
            Problem::new(Kind::BadBody, "the body broke off")
        }
    })
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut source = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut source)
        .map_err(|error| Problem::new(Kind::BadBody, describe("key", &error)))?;
    source.end().map_err(|error| Problem::new(Kind::BadBody, error.to_string()))?;
    Ok(value)
}

/// `parameter status: unknown variant …`: where it is wrong, and what was expected there.
fn describe<E: std::fmt::Display>(what: &str, error: &serde_path_to_error::Error<E>) -> String {
    let place = error.path().to_string();
    if place == "." {
        error.inner().to_string()
    } else {
        format!("{what} {place}: {}", error.inner())
    }
}

/// For `#[serde(deserialize_with)]`: a whole number from `MIN` to `MAX`; empty is absent.
pub(crate) fn whole<'de, D, const MIN: u64, const MAX: u64>(
    from: D,
) -> Result<Option<u64>, D::Error>
where
    D: Deserializer<'de>,
{
    let text = String::deserialize(from)?;
    if text.is_empty() {
        return Ok(None);
    }
    match text.parse() {
        Ok(number) if (MIN..=MAX).contains(&number) => Ok(Some(number)),
        _ => Err(de::Error::invalid_value(
            Unexpected::Str(&text),
            &format!("a whole number from {MIN} to {MAX}").as_str(),
        )),
    }
}

/// For `#[serde(deserialize_with)]`: a text of bounded length; empty is absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SmolStr>, D::Error> {
    let text = String::deserialize(from)?;
    if text.len() > MAX_TEXT_BYTES {
        let expected = format!("at most {MAX_TEXT_BYTES} bytes");
        return Err(de::Error::invalid_length(text.len(), &expected.as_str()));
    }
    Ok(Some(text).filter(|text| !text.is_empty()).map(SmolStr::from))
}
