//! Whatever a caller sends, Egret does not fail over it.

use axum::body::Body;
use axum::http::Method;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::world::{World, flow, id, local, opened, request};

const LISTS: [&str; 6] = ["incidents", "roll-ups", "events", "destinations", "executors", "series"];

/// Names of parameters, right for some lists and wrong for others.
const NAMES: [&str; 19] = [
    "status",
    "min_severity",
    "since",
    "until",
    "destination",
    "executor",
    "tenant",
    "template",
    "search",
    "roll_up_of",
    "with_suppressed",
    "sort",
    "order",
    "after",
    "limit",
    "ids",
    "kind",
    "step_s",
    "group_by",
];

/// Values: some that are right, some at the edge, some that are anything.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "open",
            "high",
            "true",
            "ascending",
            "up_bytes",
            "severity",
            "1",
            "1000",
            "1001",
            "-1",
            "18446744073709551616",
            "1677-09-21T00:12:44Z",
            "2262-04-11T23:47:16Z",
            "-009999-01-01T00:00:00Z",
            "2026-01-31T09:00:00Z",
            "flow",
            "31622400",
            "",
            "%00",
            "%25",
            "_",
            "%27%20OR%201=1--",
            "%ff%fe",
            "u.0.0",
            "u.8000000000000000.00",
            "destination",
            "00000000000000000000000000000001",
        ])
        .prop_map(str::to_owned),
        "[ -~&&[^#]]{0,40}",
        "(%[0-9a-f]{2}){0,30}",
    ]
}

fn query() -> impl Strategy<Value = String> {
    let pair = (prop::sample::select(NAMES.to_vec()), value())
        .prop_map(|(name, value)| format!("{name}={value}"));
    prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"))
}

/// Runs `claim` on the answers to many requests.
fn for_all<S: Strategy>(strategy: &S, ask: impl Fn(&World, S::Value) -> Option<u16>) {
    let world = local();
    world.write(&[flow(1, 1, "job-1", "a.example")], &[opened(1, "a.example")]);
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    runner
        .run(strategy, |input| {
            let status = ask(&world, input);
            prop_assert!(status.is_none_or(|status| status < 500), "answered {status:?}");
            Ok(())
        })
        .unwrap();
}

fn status_of(world: &World, request: axum::http::request::Builder, body: Body) -> Option<u16> {
    // What is no request at all never reaches the router.
    let request = request.body(body).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Some(runtime.block_on(world.ask(request)).status.as_u16())
}

#[test]
fn no_query_makes_egret_fail() {
    for_all(&(prop::sample::select(LISTS.to_vec()), query()), |world, (list, query)| {
        let path = format!("/v1/{list}?{query}");
        status_of(world, request(Method::GET, &path), Body::empty())
    });
}

#[test]
fn no_path_or_method_makes_egret_fail() {
    let methods = prop::sample::select(vec![
        Method::GET,
        Method::HEAD,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::OPTIONS,
        Method::PATCH,
        Method::TRACE,
    ]);
    let strategy =
        (methods, "(/v1)?(/(incidents|executors|suppressions|assets))?/[ -~&&[^#?]]{0,30}");
    for_all(&strategy, |world, (method, path)| {
        status_of(world, request(method, &path).header("accept", "text/html"), Body::empty())
    });
}

#[test]
fn no_body_makes_egret_fail() {
    let comment = format!("/v1/incidents/{}/comments", id(1));
    let places = [
        (Method::POST, comment.as_str()),
        (Method::POST, "/v1/incidents/actions"),
        (Method::POST, "/v1/suppressions"),
        (Method::PUT, "/v1/executors/job-1"),
        (Method::POST, "/v1/login"),
    ];
    let bodies = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..100),
        "[\\[{]{0,300}\"ids\":\\[(\"[0-9a-f]{32}\",?){0,3}\\],\"action\":\"[a-z]*\"[\\]}]{0,300}"
            .prop_map(String::into_bytes),
    ];
    for_all(&(0..places.len(), bodies), |world, (place, body)| {
        let (method, path) = places[place].clone();
        let request = request(method, path).header("content-type", "application/json");
        status_of(world, request, Body::from(body))
    });
}
