//! The OpenAPI document: what the routes say about themselves.

use egret_store::{DestinationSort, GroupBy, IncidentSort, SortOrder};
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, PathItem, Ref, ResponseBuilder};
use utoipa::{Modify, OpenApi};

use crate::auth::COOKIE_NAME;
use crate::problem::ProblemDocument;
use crate::routes::events::FactKind;

/// What the document says besides the routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Egret",
        description = "Egress monitor for executors of AI agents. Problems are RFC 9457 documents.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    // What only a query parameter names is not found by itself.
    components(schemas(
        ProblemDocument,
        IncidentSort,
        SortOrder,
        DestinationSort,
        GroupBy,
        FactKind
    )),
    security(("token" = []), ("cookie" = [])),
    modifiers(&Schemes),
)]
pub(crate) struct Head;

/// How callers prove who they are.
struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        let token = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("A token made by `egret token create`."))
            .build();
        components.add_security_scheme("token", SecurityScheme::Http(token));
        let cookie = ApiKeyValue::with_description(
            COOKIE_NAME,
            "Set by POST /v1/login. Requests that change something also need the header \
             `x-egret-request: 1` or an Origin that is Egret's own.",
        );
        components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}

/// Says of every operation that it may answer with a problem document.
pub(crate) fn add_problems(document: &mut Document) {
    for item in document.paths.paths.values_mut() {
        for operation in operations(item) {
            let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
            let problem = ResponseBuilder::new()
                .description("What is wrong")
                .content("application/problem+json", body)
                .build();
            operation.responses.responses.insert("default".to_owned(), problem.into());
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete].into_iter().flatten()
}

/// The OpenAPI document, as pretty JSON with a trailing newline.
pub fn openapi() -> String {
    let document = crate::routes::document();
    let mut text = document.to_pretty_json().expect("the document consists of JSON values only");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../dashboards/openapi.json");

    #[test]
    fn the_committed_openapi_document_is_what_the_routes_say() {
        let document = super::openapi();
        if std::env::var("EGRET_UPDATE").is_ok_and(|value| value == "1") {
            fs::write(COMMITTED, &document).unwrap();
        }
        assert!(
            fs::read_to_string(COMMITTED).is_ok_and(|committed| committed == document),
            "dashboards/openapi.json is out of date: run `cargo run -p egret -- openapi > \
             dashboards/openapi.json`, or `EGRET_UPDATE=1 cargo test -p egret-api openapi`"
        );
    }
    #[test]
    fn every_reference_in_the_openapi_document_leads_somewhere() {
        let document: serde_json::Value = serde_json::from_str(&super::openapi()).unwrap();
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(references.len() > 100, "only {} references were found", references.len());
        for reference in references {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
        }
    }

    fn collect(value: &serde_json::Value, references: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref").and_then(|r| r.as_str()) {
                    references.push(reference.to_owned());
                }
                fields.values().for_each(|value| collect(value, references));
            }
            serde_json::Value::Array(items) => {
                items.iter().for_each(|value| collect(value, references));
            }
            _ => {}
        }
    }
}
