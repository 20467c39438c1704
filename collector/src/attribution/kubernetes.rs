//! Pods as executors: who had which address, by the cluster's own word.
//!
//! Watches pods (list, then watch, by resource version) and takes each pod's addresses into the
//! table. Needs `get`, `list` and `watch` on pods. What becomes of a pod:
//!
//! | of the executor | from |
//! |---|---|
//! | id | label `egret.dev/executor`, else `NAMESPACE/NAME` |
//! | template | label `egret.dev/template`, else kind of the owner and image (`Job:python-sandbox`) |
//! | tenant | label `egret.dev/tenant`, else the namespace |
//! | session | label `egret.dev/session` |
//! | from, until | the pod's start; its containers' end, or when it is gone |
//!
//! Pods on the host's network share the node's address, so they are left out.

use std::pin::pin;
use std::time::Duration;

use egret_event::{ExecutorRegistration, NamedBy, SmolStr, Timestamp};
use futures_util::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client, Config};

use super::registrar::{Registrar, image_name};
use crate::{CollectError, Context, Emit, KubernetesOptions};

/// Longest time between two looks at whether to go on.
const LOOK: Duration = Duration::from_secs(1);

/// Failures in a row, with growing pauses, that are taken before the source counts as failed: an API
/// server forgets what is old, and restarts.
const FAILURES_TAKEN: u32 = 3;

/// Labels that say what an executor is.
const EXECUTOR_LABEL: &str = "egret.dev/executor";
const TEMPLATE_LABEL: &str = "egret.dev/template";
const TENANT_LABEL: &str = "egret.dev/tenant";
const SESSION_LABEL: &str = "egret.dev/session";

/// Watches pods until told to stop.
///
/// # Errors
/// When the cluster cannot be reached, or refuses.
pub(crate) fn run_kubernetes(
    name: &SmolStr,
    options: &KubernetesOptions,
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| wrong(&error))?;
    let mut registrar = Registrar::new(name, NamedBy::Kubernetes, context, emit);
    runtime.block_on(watch(options, &mut registrar))
}

async fn watch(
    options: &KubernetesOptions,
    registrar: &mut Registrar<'_, '_>,
) -> Result<(), CollectError> {
    let client = client(options).await?;
    let pods: Api<Pod> = match &options.namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let mut wanted = watcher::Config::default();
    wanted.label_selector.clone_from(&options.selector);
    wanted.field_selector = options.node.as_ref().map(|node| format!("spec.nodeName={node}"));
    let mut events = pin!(watcher::watcher(pods, wanted).default_backoff());
    let mut failures = 0;
    while registrar.is_wanted() {
        match tokio::time::timeout(LOOK, events.next()).await {
            Err(_) => {}
            Ok(None) => break,
            Ok(Some(Ok(event))) => {
                failures = 0;
                take(event, registrar);
            }
            // The watcher lists again, and so knows what it missed.
            Ok(Some(Err(error))) if failures < FAILURES_TAKEN => {
                failures += 1;
                tracing::debug!(%error, "a watch broke off");
            }
            Ok(Some(Err(error))) => return Err(wrong(&error)),
        }
    }
    Ok(())
}

async fn client(options: &KubernetesOptions) -> Result<Client, CollectError> {
    let config = match &options.kubeconfig {
        None => Config::infer().await.map_err(|error| wrong(&error))?,
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
            let chosen = KubeConfigOptions::default();
            Config::from_custom_kubeconfig(file, &chosen).await.map_err(|error| wrong(&error))?
        }
    };
    Client::try_from(config).map_err(|error| wrong(&error))
}

fn wrong(error: &dyn std::error::Error) -> CollectError {
    CollectError::Authority { authority: "the Kubernetes API", reason: reasons(error) }
}

/// An error with what caused it.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn take(event: Event<Pod>, registrar: &mut Registrar<'_, '_>) {
    match event {
        Event::Init => registrar.begin_list(),
        Event::InitDone => registrar.end_list(),
        Event::Apply(pod) | Event::InitApply(pod) => {
            for registration in registrations(&pod) {
                registrar.take(&registration);
            }
        }
        Event::Delete(pod) => {
            for registration in registrations(&pod) {
                registrar.take_ended(registration);
            }
        }
    }
}

/// What a pod says of its addresses: nothing before it has any, and on the host's network.
fn registrations(pod: &Pod) -> Vec<ExecutorRegistration> {
    let (Some(spec), Some(status)) = (&pod.spec, &pod.status) else { return Vec::new() };
    let started = status.start_time.as_ref().or(pod.metadata.creation_timestamp.as_ref());
    let Some(from) = started.and_then(timestamp) else { return Vec::new() };
    if spec.host_network == Some(true) {
        return Vec::new();
    }
    let label = |key: &str| pod.metadata.labels.as_ref()?.get(key).map(SmolStr::from);
    let namespace = pod.metadata.namespace.as_deref().unwrap_or("default");
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let addresses = status.pod_ips.iter().flatten().map(|ip| ip.ip.as_str());
    let addresses: Vec<&str> = match addresses.clone().next() {
        Some(_) => addresses.collect(),
        None => status.pod_ip.as_deref().into_iter().collect(),
    };
    let until = ended(pod).filter(|until| *until > from);
    addresses
        .into_iter()
        .filter_map(|address| {
            Some(ExecutorRegistration {
                id: label(EXECUTOR_LABEL).unwrap_or_else(|| format!("{namespace}/{name}").into()),
                address: address.parse().ok()?,
                template: label(TEMPLATE_LABEL).or_else(|| template(pod)),
                tenant: label(TENANT_LABEL).or_else(|| Some(namespace.into())),
                session: label(SESSION_LABEL),
                from,
                until,
            })
        })
        .collect()
}

/// The kind of the owner and the first container's image without registry, tag and digest.
fn template(pod: &Pod) -> Option<SmolStr> {
    let image = pod.spec.as_ref()?.containers.first()?.image.as_deref()?;
    let image = image_name(image);
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let controller = owners.iter().find(|owner| owner.controller == Some(true));
    Some(match controller.or(owners.first()) {
        Some(owner) => format!("{}:{image}", owner.kind).into(),
        None => image.into(),
    })
}

/// When the last container of a pod that is over came to its end.
fn ended(pod: &Pod) -> Option<Timestamp> {
    let status = pod.status.as_ref()?;
    if !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
        return None;
    }
    let containers = status.container_statuses.iter().flatten();
    let ends = containers.filter_map(|container| {
        timestamp(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?)
    });
    ends.max()
}

fn timestamp(time: &Time) -> Option<Timestamp> {
    i64::try_from(time.0.as_nanosecond()).ok().map(Timestamp::from_nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(change: impl FnOnce(&mut serde_json::Value)) -> Vec<ExecutorRegistration> {
        let mut pod = serde_json::json!({
            "metadata": {
                "name": "job-7-x2", "namespace": "acme",
                "ownerReferences": [{ "apiVersion": "batch/v1", "kind": "Job", "name": "job-7",
                                      "uid": "1", "controller": true }],
            },
            "spec": { "containers": [{ "name": "run",
                "image": "registry.example:5000/team/python-sandbox:3.12@sha256:00" }] },
            "status": {
                "phase": "Running", "startTime": "2026-01-02T03:04:05Z",
                "podIP": "10.20.0.17", "podIPs": [{ "ip": "10.20.0.17" }, { "ip": "fd00::17" }],
            },
        });
        change(&mut pod);
        registrations(&serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_pod_names_its_addresses_and_its_kind() {
        let found = pod(|_| {});
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, "acme/job-7-x2");
        assert_eq!(found[0].template.as_deref(), Some("Job:python-sandbox"));
        assert_eq!(found[0].tenant.as_deref(), Some("acme"));
        assert_eq!(found[0].from, "2026-01-02T03:04:05Z".parse().unwrap());
        assert_eq!(found[0].until, None);
        assert_eq!(found[1].address, "fd00::17".parse::<std::net::IpAddr>().unwrap());
    }

    #[test]
    fn labels_say_it_better() {
        let found = pod(|pod| {
            pod["metadata"]["labels"] = serde_json::json!({
                EXECUTOR_LABEL: "job-7", TEMPLATE_LABEL: "python", TENANT_LABEL: "t-1",
                SESSION_LABEL: "task-9",
            });
        });
        let named = (found[0].id.as_str(), found[0].template.as_deref());
        assert_eq!(named, ("job-7", Some("python")));
        assert_eq!(found[0].tenant.as_deref(), Some("t-1"));
        assert_eq!(found[0].session.as_deref(), Some("task-9"));
    }

    #[test]
    fn a_pod_that_is_over_ends_with_its_last_container() {
        let found = pod(|pod| {
            pod["status"]["phase"] = "Succeeded".into();
            pod["status"]["containerStatuses"] = serde_json::json!([
                { "name": "run", "image": "i", "imageID": "", "ready": false, "restartCount": 0,
                  "state": { "terminated": { "exitCode": 0,
                                             "finishedAt": "2026-01-02T03:05:00Z" } } },
            ]);
        });
        assert_eq!(found[0].until, Some("2026-01-02T03:05:00Z".parse().unwrap()));
    }

    #[test]
    fn what_has_no_address_of_its_own_is_left_out() {
        assert_eq!(pod(|pod| pod["spec"]["hostNetwork"] = true.into()), []);
        assert_eq!(pod(|pod| pod["status"] = serde_json::json!({ "phase": "Pending" })), []);
        assert_eq!(pod(|pod| pod["status"]["podIPs"] = serde_json::json!([])).len(), 1);
    }
}
