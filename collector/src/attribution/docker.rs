//! Containers as executors: who had which address, by the container engine's own word.
//!
//! Follows the engine's events and asks it about each container that starts. Podman's service
//! speaks the same protocol. What becomes of a container:
//!
//! | of the executor | from |
//! |---|---|
//! | id | label `egret.dev/executor`, else the container's name |
//! | template | label `egret.dev/template`, else the image's name |
//! | tenant, session | labels `egret.dev/tenant`, `egret.dev/session` |
//! | from, until | when it started; when it ended |
//!
//! Containers on the host's network have no address of their own and are left out.

use std::time::Duration;

use bollard::models::{ContainerInspectResponse, EventMessage};
use bollard::query_parameters::{
    EventsOptionsBuilder, InspectContainerOptions, ListContainersOptions,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use egret_event::{ExecutorRegistration, NamedBy, SmolStr, Timestamp};
use futures_util::StreamExt;

use super::registrar::{Registrar, image_name};
use crate::{CollectError, Context, DockerOptions, Emit};

/// Longest time between two looks at whether to go on.
const LOOK: Duration = Duration::from_secs(1);

/// How long an answer of the engine may take, in seconds.
const TIMEOUT_S: u64 = 30;

/// Follows containers until told to stop.
///
/// # Errors
/// When the engine cannot be reached, or ends.
pub(crate) fn run_docker(
    name: &SmolStr,
    options: &DockerOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| wrong(options, &error))?;
    let mut registrar = Registrar::new(name, NamedBy::Docker, context, emit);
    runtime.block_on(follow(options, &mut registrar)).map_err(|error| wrong(options, &error))
}

fn wrong(options: &DockerOptions, error: &dyn std::error::Error) -> CollectError {
    let socket = options.socket.display();
    CollectError::Authority {
        authority: "the container engine",
        reason: format!("{error} (socket {socket}: egret must be allowed to read and write it)"),
    }
}

async fn follow(
    options: &DockerOptions,
    registrar: &mut Registrar<'_, '_>,
) -> Result<(), bollard::errors::Error> {
    let socket = options.socket.to_string_lossy();
    let engine = Docker::connect_with_unix(&socket, TIMEOUT_S, API_DEFAULT_VERSION)?;
    let filters = std::collections::HashMap::from([("type", vec!["container", "network"])]);
    // Events are asked for before the list, so that nothing falls in between.
    let mut events = engine.events(Some(EventsOptionsBuilder::new().filters(&filters).build()));
    list(&engine, registrar).await?;
    while registrar.is_wanted() {
        match tokio::time::timeout(LOOK, events.next()).await {
            Err(_) => {}
            Ok(None) => break,
            Ok(Some(event)) => take(&engine, &event?, registrar).await?,
        }
    }
    Ok(())
}

/// Takes in what runs already.
async fn list(
    engine: &Docker,
    registrar: &mut Registrar<'_, '_>,
) -> Result<(), bollard::errors::Error> {
    registrar.begin_list();
    for container in engine.list_containers(None::<ListContainersOptions>).await? {
        if let Some(id) = container.id {
            inspect(engine, &id, registrar).await?;
        }
    }
    registrar.end_list();
    Ok(())
}

async fn take(
    engine: &Docker,
    event: &EventMessage,
    registrar: &mut Registrar<'_, '_>,
) -> Result<(), bollard::errors::Error> {
    let Some(actor) = &event.actor else { return Ok(()) };
    // Of a network's event the container is an attribute, of a container's it is the actor.
    let attributes = actor.attributes.as_ref();
    let container = attributes.and_then(|all| all.get("container")).or(actor.id.as_ref());
    match (event.action.as_deref(), container) {
        (Some("start" | "connect" | "die" | "died" | "disconnect"), Some(id)) => {
            inspect(engine, id, registrar).await
        }
        _ => Ok(()),
    }
}

async fn inspect(
    engine: &Docker,
    id: &str,
    registrar: &mut Registrar<'_, '_>,
) -> Result<(), bollard::errors::Error> {
    match engine.inspect_container(id, None::<InspectContainerOptions>).await {
        Ok(container) => {
            for registration in registrations(&container) {
                registrar.take(&registration);
            }
            if container.state.as_ref().and_then(|state| state.running) == Some(false) {
                registrar.end(&executor_id(&container));
            }
            Ok(())
        }
        // It is gone already; its end is told by its own event, or by the next list.
        Err(bollard::errors::Error::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn label(container: &ContainerInspectResponse, key: &str) -> Option<SmolStr> {
    container.config.as_ref()?.labels.as_ref()?.get(key).map(SmolStr::from)
}

fn executor_id(container: &ContainerInspectResponse) -> SmolStr {
    label(container, "egret.dev/executor").unwrap_or_else(|| {
        container.name.as_deref().unwrap_or_default().trim_start_matches('/').into()
    })
}

/// What a container says of its addresses: nothing while it has none.
fn registrations(container: &ContainerInspectResponse) -> Vec<ExecutorRegistration> {
    let started = container.state.as_ref().and_then(|state| state.started_at.as_deref());
    let Some(from) = started.and_then(|text| text.parse::<Timestamp>().ok()) else {
        return Vec::new();
    };
    let networks = container.network_settings.as_ref().and_then(|all| all.networks.as_ref());
    let addresses = networks.into_iter().flatten().flat_map(|(_, network)| {
        [network.ip_address.as_deref(), network.global_ipv6_address.as_deref()]
    });
    let image = container.config.as_ref().and_then(|config| config.image.as_deref());
    let mut found: Vec<_> = addresses
        .flatten()
        .filter_map(|address| address.parse().ok())
        .map(|address| ExecutorRegistration {
            id: executor_id(container),
            address,
            template: label(container, "egret.dev/template")
                .or_else(|| image.map(|image| image_name(image).into())),
            tenant: label(container, "egret.dev/tenant"),
            session: label(container, "egret.dev/session"),
            from,
            until: None,
        })
        .collect();
    // The networks come from a hash map.
    found.sort_by_key(|registration| registration.address);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(labels: &serde_json::Value) -> Vec<ExecutorRegistration> {
        let container = serde_json::json!({
            "Id": "4f0e", "Name": "/job-7",
            "State": { "Running": true, "StartedAt": "2026-01-02T03:04:05.5Z" },
            "Config": { "Image": "registry.example/python-sandbox:3", "Labels": labels },
            "NetworkSettings": { "Networks": {
                "b": { "IPAddress": "172.18.0.2", "GlobalIPv6Address": "" },
                "a": { "IPAddress": "10.20.0.17", "GlobalIPv6Address": "fd00::17" },
            } },
        });
        registrations(&serde_json::from_value(container).unwrap())
    }

    #[test]
    fn a_container_names_its_addresses_on_every_network() {
        let found = found(&serde_json::json!({}));
        let addresses: Vec<_> = found.iter().map(|one| one.address.to_string()).collect();
        assert_eq!(addresses, ["10.20.0.17", "172.18.0.2", "fd00::17"]);
        assert_eq!(found[0].id, "job-7");
        assert_eq!(found[0].template.as_deref(), Some("python-sandbox"));
        assert_eq!(found[0].from, "2026-01-02T03:04:05.5Z".parse().unwrap());
    }

    #[test]
    fn labels_say_it_better() {
        let labels = serde_json::json!({ "egret.dev/executor": "x", "egret.dev/tenant": "t" });
        let found = found(&labels);
        assert_eq!((found[0].id.as_str(), found[0].tenant.as_deref()), ("x", Some("t")));
    }
}
