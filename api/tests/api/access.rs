//! Who may do what: tokens, roles, cookies.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use egret_store::Role;
use serde_json::{Value, json};

use crate::world::{World, at, guarded, id, pass, request};

const ALL_ROLES: [Role; 4] = [Role::Collector, Role::Viewer, Role::Analyst, Role::Admin];
const READERS: [Role; 3] = [Role::Viewer, Role::Analyst, Role::Admin];
const WORKERS: [Role; 2] = [Role::Analyst, Role::Admin];
const REGISTRARS: [Role; 2] = [Role::Collector, Role::Admin];

async fn ask_as(world: &World, method: &Method, path: &str, token: &str) -> StatusCode {
    let request = request(method.clone(), path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    // The stream's answer has no end, so only the head of each answer is looked at.
    let response =
        tower::ServiceExt::oneshot(world.router.clone(), request.body(Body::from("{}")).unwrap());
    response.await.unwrap().status()
}

/// Every operation of the OpenAPI document, with the roles that may use it; `None`: everybody.
fn operations() -> Vec<(Method, String, Option<Vec<Role>>)> {
    let document: Value = serde_json::from_str(&egret_api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let roles = match (method.as_str(), path.as_str()) {
                _ if operation["security"] == json!([{}]) => None,
                (_, "/v1/me") => Some(ALL_ROLES.to_vec()),
                ("get", _) => Some(READERS.to_vec()),
                ("put", "/v1/executors/{id}") => Some(REGISTRARS.to_vec()),
                _ => Some(WORKERS.to_vec()),
            };
            let method = method.to_uppercase().parse().unwrap();
            all.push((method, path.replace("{id}", &id(7)), roles));
        }
    }
    all
}

#[tokio::test]
async fn every_operation_lets_through_exactly_the_roles_meant_for_it() {
    let world = guarded();
    let tokens = ALL_ROLES.map(|role| (role, world.token(&format!("{role:?}"), role, None)));
    let operations = operations();
    assert!(operations.len() >= 23, "only {} operations", operations.len());
    for (method, path, roles) in &operations {
        for (role, token) in &tokens {
            let status = ask_as(&world, method, path, token).await;
            let may = roles.as_ref().is_none_or(|roles| roles.contains(role));
            assert_eq!(status != StatusCode::FORBIDDEN, may, "{role:?} {method} {path}: {status}");
            assert_ne!(status, StatusCode::INTERNAL_SERVER_ERROR, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn only_probes_login_logout_and_what_is_signed_are_open_without_a_token() {
    let world = guarded();
    let mut open = BTreeSet::new();
    for (method, path, roles) in operations() {
        let request = request(method.clone(), &path).header("content-type", "application/json");
        let answer = world.ask(request.body(Body::from("{}")).unwrap()).await;
        match roles {
            None => {
                open.insert(path);
            }
            Some(_) => {
                assert_eq!(answer.problem().status, 401, "{method} {path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer"));
            }
        }
    }
    let expected = ["/healthz", "/readyz", "/v1/login", "/v1/logout", "/v1/receive/pagerduty"];
    assert_eq!(open, expected.map(str::to_owned).into());
    assert_eq!(world.get("/openapi.json").await.status, StatusCode::OK);
    assert_eq!(world.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_refusal_names_the_role_that_is_needed() {
    let world = guarded();
    let token = world.token("vera", Role::Viewer, None);
    let request = request(Method::DELETE, &format!("/v1/suppressions/{}", id(1)))
        .header("authorization", format!("Bearer {token}"));
    let problem = world.ask(request.body(Body::empty()).unwrap()).await.problem();
    assert_eq!(problem.detail, "this needs the role analyst or admin; the token \"vera\" has not");
}

#[tokio::test]
async fn nothing_but_a_whole_known_token_proves_anything() {
    let world = guarded();
    let token = world.token("ana", Role::Admin, None);
    let stranger = egret_api::new_token().0;
    for header in [
        String::new(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Bearer {stranger}"),
        format!("Bearer {}", &token[..token.len() - 1]),
        format!("Basic {token}"),
        token.clone(),
    ] {
        let request = request(Method::GET, "/v1/me").header("authorization", &header);
        let answer = world.ask(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.problem().status, 401, "{header:?}");
        assert!(!answer.text().contains(&token[10..]), "a secret came back");
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_from_that_moment_on() {
    let world = guarded();
    let token = world.token("ana", Role::Viewer, Some(at(60)));
    pass(59);
    assert_eq!(ask_as(&world, &Method::GET, "/v1/me", &token).await, StatusCode::OK);
    pass(1);
    assert_eq!(ask_as(&world, &Method::GET, "/v1/me", &token).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_made_or_removed_while_serving_counts_within_five_seconds() {
    let world = guarded();
    let first = world.token("first", Role::Viewer, None);
    assert_eq!(ask_as(&world, &Method::GET, "/v1/me", &first).await, StatusCode::OK);
    let second = world.token("second", Role::Viewer, None);
    assert!(world.state.store.remove_token("first").unwrap());
    pass(5);
    assert_eq!(ask_as(&world, &Method::GET, "/v1/me", &second).await, StatusCode::OK);
    assert_eq!(ask_as(&world, &Method::GET, "/v1/me", &first).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_browser_logs_in_with_a_token_uses_its_cookie_and_logs_out() {
    let world = World::new(|state| {
        state.require_token = true;
        state.config.public_origin = Some("https://egret.example.org".into());
    });
    let token = world.token("ana", Role::Analyst, Some(at(3600)));
    let login = world.send(Method::POST, "/v1/login", &json!({"token": token})).await;
    assert_eq!(login.json(), json!({"name": "ana", "role": "analyst", "token_required": true}));
    let cookie = login.header("set-cookie");
    assert_eq!(
        cookie,
        format!("egret_token={token}; Path=/; Max-Age=3600; HttpOnly; SameSite=Strict; Secure")
    );
    let sent_back = cookie.split(';').next().unwrap();
    let request_me = request(Method::GET, "/v1/me").header("cookie", sent_back);
    assert_eq!(world.ask(request_me.body(Body::empty()).unwrap()).await.json()["name"], "ana");
    let logout = world.send(Method::POST, "/v1/logout", &json!({})).await;
    assert_eq!(logout.status, StatusCode::NO_CONTENT);
    assert!(logout.header("set-cookie").starts_with("egret_token=; Path=/; Max-Age=0;"));
}

#[tokio::test]
async fn a_wrong_token_logs_nobody_in() {
    let world = guarded();
    let answer = world.send(Method::POST, "/v1/login", &json!({"token": "egret_x\r\na: b"})).await;
    assert_eq!(answer.problem().status, 401);
    assert_eq!(answer.headers.get("set-cookie"), None);
}
