//! The hosting of the dashboard, and the headers that guard it.

use axum::body::Body;
use axum::http::{Method, StatusCode};

use crate::world::{World, local, request};

async fn get(world: &World, path: &str, header: (&str, &str)) -> crate::world::Answer {
    let request = request(Method::GET, path).header(header.0, header.1);
    world.ask(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_make_browsers_careful() {
    let world = local();
    for path in ["/", "/v1/me", "/healthz", "/v1/nothing", "/v1/incidents?limit=0"] {
        let answer = world.get(path).await;
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
        let caching = if path == "/" { "no-cache" } else { "no-store" };
        assert_eq!(answer.header("cache-control"), caching, "{path}");
    }
}

#[tokio::test]
async fn the_page_is_served_at_every_path_that_a_browser_opens() {
    let world = local();
    let index = world.get("/").await;
    assert_eq!(index.header("content-type"), "text/html; charset=utf-8");
    let deep = get(&world, "/incidents/7", ("accept", "text/html,*/*;q=0.8")).await;
    assert_eq!((deep.status, &deep.body), (StatusCode::OK, &index.body));
    let script = get(&world, "/assets/gone.js", ("accept", "*/*")).await;
    assert_eq!(script.problem().status, 404);
}

#[tokio::test]
async fn paths_out_of_the_dashboard_lead_nowhere() {
    let world = local();
    for path in ["/../Cargo.toml", "/..%2fCargo.toml", "//etc/passwd", "/assets/../../Cargo.toml"] {
        let answer = get(&world, path, ("accept", "*/*")).await;
        assert_eq!(answer.problem().status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_page_that_the_browser_has_is_not_sent_again() {
    let world = local();
    let first = world.get("/").await;
    let again = get(&world, "/", ("if-none-match", first.header("etag"))).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let other = get(&world, "/", ("if-none-match", "\"other\"")).await;
    assert_eq!(other.body, first.body);
}
