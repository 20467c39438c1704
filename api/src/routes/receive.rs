//! What receivers of alerts tell back.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use egret_analyzer::ChangeKind;
use egret_event::EventId;
use egret_store::{Action, Heard, NotHeard, StoreError};

use super::incidents::{act, telling_once};
use crate::app::{ApiState, Shared};
use crate::problem::{Kind, Outcome, Problem};

/// Where PagerDuty signs its webhooks.
const SIGNATURE: &str = "x-pagerduty-signature";

/// How far their clock and ours may be apart.
const CLOCKS_DIFFER: Duration = Duration::from_secs(120);

/// Hears of what was done to an incident in PagerDuty (webhook version 3): acknowledged, resolved, or nobody's
/// again. The signature takes the place of a token. Where the alert told of many incidents, all of them are
/// acknowledged, because whoever was called knows of all.
#[utoipa::path(
    post, path = "/v1/receive/pagerduty", tag = "receivers", security(()),
    params(("X-PagerDuty-Signature" = String, Header, description = "`v1=` and HMAC-SHA256 of the body, in hex")),
    request_body(content = Object, content_type = "application/json"),
    responses(
        (status = 202, description = "It was heard"),
        (status = 204, description = "It concerns no incident")
    )
)]
pub(crate) async fn hear_pagerduty(
    State(app): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Outcome<StatusCode> {
    let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    let heard = (app.outside.hear)(signature.unwrap_or_default().to_owned(), body.into());
    let heard = heard.await.map_err(|refusal| {
        let kind = match refusal {
            NotHeard::NobodyListens => Kind::NotFound,
            NotHeard::NotSigned => Kind::Unauthenticated,
            NotHeard::Malformed => Kind::BadBody,
            // It is sent again then.
            NotHeard::NotAnswered(_) => Kind::Overloaded,
        };
        Problem::new(kind, refusal.to_string())
    })?;
    let Some(heard) = heard else { return Ok(StatusCode::NO_CONTENT) };
    let own = heard.clone();
    let known = app.ask(move |outside| {
        let ids = own.incidents.iter();
        let done = ids.map(|id| carry_out(outside, &own, *id, own.kind));
        done.collect::<Result<Vec<bool>, _>>()
    });
    if !known.await?.contains(&true) {
        return Ok(StatusCode::NO_CONTENT);
    }
    if heard.by_person && matches!(heard.kind, ChangeKind::Acknowledged | ChangeKind::Closed) {
        // There may be very many, and the sender does not wait long.
        tokio::spawn(async move { acknowledge_others(&app, heard).await });
    }
    Ok(StatusCode::ACCEPTED)
}

/// Takes on the incidents that were told by the same alert, one after the other.
async fn acknowledge_others(app: &Shared, heard: Heard) {
    let own = heard.clone();
    let led = app.ask(move |outside| {
        let ways = own.targets.iter().flat_map(|to| own.incidents.iter().map(move |id| (id, to)));
        let led = ways.map(|(id, target)| outside.store.outbox_led(*id, target));
        Ok(led.collect::<Result<Vec<_>, _>>()?.concat())
    });
    let led = led.await;
    let mut failed = u64::from(led.is_err());
    for id in led.unwrap_or_default() {
        let heard = heard.clone();
        let done = app.ask(move |outside| carry_out(outside, &heard, id, ChangeKind::Acknowledged));
        failed += u64::from(done.await.is_err());
    }
    if failed > 0 {
        tracing::error!(failed, "incidents told by one alert could not be acknowledged");
    }
}

/// Whether something has happened since that makes it outdated: to the end of an incident, or that somebody has it, that
/// it was opened anew; to its being nobody's again, anything. It comes late, or somebody says it again.
fn is_outdated(outside: &ApiState, heard: &Heard, incident: EventId) -> Result<bool, StoreError> {
    let kinds = match heard.kind {
        ChangeKind::Reopened => {
            &[ChangeKind::Reopened, ChangeKind::Acknowledged, ChangeKind::Closed][..]
        }
        _ => &[ChangeKind::Reopened],
    };
    let changed = outside.store.last_changed(incident, kinds)?;
    Ok(changed.is_some_and(|changed| heard.at + CLOCKS_DIFFER < changed))
}

/// Does to an incident what was done there. `false`: it is none of ours, or not so that this could be done.
fn carry_out(
    outside: &ApiState,
    heard: &Heard,
    incident: EventId,
    kind: ChangeKind,
) -> Result<bool, StoreError> {
    if is_outdated(outside, heard, incident)? {
        return Ok(false);
    }
    let action = Action { by: heard.by.clone(), kind, comment: None, verdict: None };
    let acted =
        telling_once(outside, |changed_feedback| act(outside, incident, &action, changed_feedback));
    match acted {
        Ok(_) => Ok(true),
        Err(StoreError::NotFound { .. } | StoreError::BadQuery(_)) => Ok(false),
        Err(failure) => Err(failure),
    }
}
