//! `[[collector.sources]]`, as written.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use egret_event::{ByteSize, SmolStr};
use serde::{Deserialize, Serialize};

use super::source::{
    Carrier, Dialect, DockerOptions, Input, KubernetesOptions, LiveOptions, SourceConfig,
    SourceKind,
};
use super::{ConfigProblem, check_name};
use crate::logs::mapping::Mapping;
use crate::{UdpOptions, dialects, unpack};

/// Default kernel buffer of a live source: with 64 MiB nothing is lost at 10 Gbit/s of TCP.
const DEFAULT_BUFFER: ByteSize = ByteSize(64 << 20);

/// Smallest useful kernel buffer: one frame of the largest size (with segmentation offload).
const MIN_BUFFER: ByteSize = ByteSize(64 << 10);

/// Default kernel buffer of a UDP port: 100 ms of NetFlow at 1 Gbit/s.
const DEFAULT_UDP_BUFFER: ByteSize = ByteSize(16 << 20);

/// Largest kernel buffer that libpcap takes (an `int` of bytes).
const MAX_BUFFER: ByteSize = ByteSize((2 << 30) - 1);

/// Where Docker and Podman (as root) listen, unless told otherwise.
const DEFAULT_SOCKET: &str = "/var/run/docker.sock";

/// Why a compressed log is not followed, and what helps.
pub(crate) const CANNOT_FOLLOW_COMPRESSED: &str = "is compressed, and only text can be followed as it \
     grows: name the file that the proxy writes to, or set `follow = false` to read this one once";

/// Most threads on one interface: the kernel's limit on a fan-out group is 256.
const MAX_THREADS: usize = 64;

/// A `[[collector.sources]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum RawSource {
    /// A capture file, pcap or pcapng.
    Capture {
        /// Its name in events and metrics; the path if absent.
        name: Option<SmolStr>,
        /// Path of the file.
        path: PathBuf,
    },
    /// A live interface.
    Live {
        /// Its name in events and metrics; the interface if absent.
        name: Option<SmolStr>,
        /// The interface.
        interface: String,
        /// A pcap-filter(7) expression.
        filter: Option<String>,
        /// Kernel buffer. Default `64MiB`.
        buffer: Option<ByteSize>,
        /// Whether to see packets for other hosts. Default `true`.
        promiscuous: Option<bool>,
        /// Threads that share the interface's flows, each with a kernel buffer of its own.
        /// Default 1.
        threads: Option<usize>,
    },
    /// A proxy's access log.
    Log {
        /// Its name in events and metrics; the path if absent.
        name: Option<SmolStr>,
        /// Path of the file.
        path: PathBuf,
        /// The name of its dialect or mapping; recognized by content if absent.
        dialect: Option<SmolStr>,
        /// Whether to go on as the file grows and rotates. Default `true`.
        follow: Option<bool>,
    },
    /// NetFlow v5, v9 and IPFIX: a UDP port that exporters send to, or a file.
    Netflow {
        /// Its name in events and metrics; the address or path if absent.
        name: Option<SmolStr>,
        /// Address and port to listen at. Either this or `path`.
        listen: Option<SocketAddr>,
        /// A capture that holds export datagrams, or a file of nothing else.
        path: Option<PathBuf>,
        /// Kernel buffer of the port. Default `16MiB`.
        buffer: Option<ByteSize>,
    },
    /// Envoy's gRPC access log service.
    EnvoyAls {
        /// Its name in events and metrics; the address if absent.
        name: Option<SmolStr>,
        /// Address and port to listen at.
        listen: SocketAddr,
    },
    /// Logs that are sent here by syslog, or bare.
    Syslog {
        /// Its name in events and metrics; protocol and address if absent.
        name: Option<SmolStr>,
        /// Address and port to listen at.
        listen: SocketAddr,
        /// Over UDP or TCP. Default `udp`.
        protocol: Option<SyslogProtocol>,
        /// The name of the dialect or mapping of what is carried; recognized by content if absent.
        dialect: Option<SmolStr>,
        /// Kernel buffer of a UDP port. Default `16MiB`.
        buffer: Option<ByteSize>,
    },
    /// The pods of a cluster: who has which address.
    Kubernetes {
        /// Its name in metrics; `kubernetes` if absent.
        name: Option<SmolStr>,
        /// A kubeconfig file; if absent the pod's own service account, else `KUBECONFIG`, else
        /// `~/.kube/config`.
        kubeconfig: Option<PathBuf>,
        /// Only pods of this namespace.
        namespace: Option<String>,
        /// Only pods with these labels, as in `kubectl get --selector`.
        selector: Option<String>,
        /// Only pods on this node.
        node: Option<String>,
    },
    /// The containers of a container engine: who has which address.
    Docker {
        /// Its name in metrics; `docker` if absent.
        name: Option<SmolStr>,
        /// The engine's socket. Default `/var/run/docker.sock`.
        socket: Option<PathBuf>,
    },
}

/// What carries syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogProtocol {
    /// Datagrams: the sender never waits, and what is too much is dropped.
    Udp,
    /// A stream: the sender waits.
    Tcp,
}

impl RawSource {
    pub(super) fn check(
        &self,
        key: &str,
        mappings: &[&'static Mapping],
    ) -> Result<SourceConfig, ConfigProblem> {
        match self {
            Self::Capture { name, path } => {
                check_path(key, path)?;
                let kind = SourceKind::Capture { path: path.clone() };
                Ok(SourceConfig { name: name_or(name.as_ref(), &path.to_string_lossy()), kind })
            }
            Self::Live { name, interface, filter, buffer, promiscuous, threads } => {
                check_name(key, "interface", interface)?;
                let kind = SourceKind::Live(LiveOptions {
                    interface: interface.clone(),
                    filter: filter.clone().unwrap_or_default(),
                    buffer_bytes: check_buffer(key, buffer.unwrap_or(DEFAULT_BUFFER))?,
                    promiscuous: promiscuous.unwrap_or(true),
                    threads: check_threads(key, threads.unwrap_or(1))?,
                });
                Ok(SourceConfig { name: name_or(name.as_ref(), interface), kind })
            }
            Self::Log { name, path, dialect, follow } => {
                check_path(key, path)?;
                if follow.unwrap_or(true) {
                    check_growing(key, path)?;
                }
                let kind = SourceKind::Log {
                    path: path.clone(),
                    dialect: check_dialect(key, dialect.as_ref(), mappings)?,
                    follow: follow.unwrap_or(true),
                };
                Ok(SourceConfig { name: name_or(name.as_ref(), &path.to_string_lossy()), kind })
            }
            Self::Netflow { name, listen, path, buffer } => {
                let (input, otherwise) = netflow_input(key, *listen, path.as_deref(), *buffer)?;
                let kind = SourceKind::Netflow(input);
                Ok(SourceConfig { name: name_or(name.as_ref(), &otherwise), kind })
            }
            Self::EnvoyAls { name, listen } => {
                let kind = SourceKind::EnvoyAls { listen: *listen };
                Ok(SourceConfig { name: name_or(name.as_ref(), &format!("tcp {listen}")), kind })
            }
            Self::Syslog { name, listen, protocol, dialect, buffer } => {
                let (carrier, word) = match protocol.unwrap_or(SyslogProtocol::Udp) {
                    SyslogProtocol::Udp => (Carrier::Udp(udp_port(key, *listen, *buffer)?), "udp"),
                    SyslogProtocol::Tcp => (Carrier::Tcp(*listen), "tcp"),
                };
                let dialect = check_dialect(key, dialect.as_ref(), mappings)?;
                let kind = SourceKind::Syslog { carrier, dialect };
                Ok(SourceConfig { name: name_or(name.as_ref(), &format!("{word} {listen}")), kind })
            }
            Self::Kubernetes { name, kubeconfig, namespace, selector, node } => {
                check_built_with(key, "kubernetes", cfg!(feature = "kubernetes"))?;
                let kind = SourceKind::Kubernetes(KubernetesOptions {
                    kubeconfig: kubeconfig.clone(),
                    namespace: namespace.clone(),
                    selector: selector.clone(),
                    node: node.clone(),
                });
                Ok(SourceConfig { name: name_or(name.as_ref(), "kubernetes"), kind })
            }
            Self::Docker { name, socket } => {
                check_built_with(key, "docker", cfg!(feature = "docker"))?;
                let socket = socket.clone().unwrap_or_else(|| DEFAULT_SOCKET.into());
                let kind = SourceKind::Docker(DockerOptions { socket });
                Ok(SourceConfig { name: name_or(name.as_ref(), "docker"), kind })
            }
        }
    }
}

/// Refuses to follow what by its name is compressed: nothing is appended to it.
fn check_growing(key: &str, path: &Path) -> Result<(), ConfigProblem> {
    let name = path.to_string_lossy();
    if !unpack::is_compressed_by_name(&name) {
        return Ok(());
    }
    let problem = format!("{name:?} {CANNOT_FOLLOW_COMPRESSED}");
    Err(ConfigProblem { key: format!("{key}.path"), problem })
}

fn netflow_input(
    key: &str,
    listen: Option<SocketAddr>,
    path: Option<&Path>,
    buffer: Option<ByteSize>,
) -> Result<(Input, String), ConfigProblem> {
    match (listen, path) {
        (Some(listen), None) => {
            Ok((Input::Port(udp_port(key, listen, buffer)?), format!("udp {listen}")))
        }
        (None, Some(path)) => {
            check_path(key, path)?;
            Ok((Input::File(path.to_owned()), path.to_string_lossy().into_owned()))
        }
        _ => {
            let problem = "needs either listen (such as \"0.0.0.0:2055\") or path".to_owned();
            Err(ConfigProblem { key: format!("{key}.listen"), problem })
        }
    }
}

fn udp_port(
    key: &str,
    listen: SocketAddr,
    buffer: Option<ByteSize>,
) -> Result<UdpOptions, ConfigProblem> {
    let buffer_bytes = check_buffer(key, buffer.unwrap_or(DEFAULT_UDP_BUFFER))?;
    Ok(UdpOptions { listen, buffer_bytes })
}

/// Refuses a kind of source that this binary was built without.
fn check_built_with(key: &str, feature: &str, is_there: bool) -> Result<(), ConfigProblem> {
    if is_there {
        return Ok(());
    }
    let problem = format!(
        "{feature:?} needs a binary built with it: `cargo build --release -p egret --features \
         {feature}`"
    );
    Err(ConfigProblem { key: format!("{key}.kind"), problem })
}

fn name_or(name: Option<&SmolStr>, otherwise: &str) -> SmolStr {
    name.cloned().unwrap_or_else(|| otherwise.into())
}

fn check_dialect(
    key: &str,
    name: Option<&SmolStr>,
    mappings: &[&'static Mapping],
) -> Result<Option<Dialect>, ConfigProblem> {
    let Some(name) = name else { return Ok(None) };
    let unknown = || ConfigProblem {
        key: format!("{key}.dialect"),
        problem: dialects::unknown(name, mappings),
    };
    dialects::named(name, mappings).map(Some).ok_or_else(unknown)
}

fn check_path(key: &str, path: &Path) -> Result<(), ConfigProblem> {
    if !path.as_os_str().is_empty() {
        return Ok(());
    }
    let problem = "is empty; give the path of a file".to_owned();
    Err(ConfigProblem { key: format!("{key}.path"), problem })
}

fn check_threads(key: &str, threads: usize) -> Result<usize, ConfigProblem> {
    if (1..=MAX_THREADS).contains(&threads) {
        return Ok(threads);
    }
    let problem = format!("is {threads}; choose between 1 and {MAX_THREADS} (the default is 1)");
    Err(ConfigProblem { key: format!("{key}.threads"), problem })
}

fn check_buffer(key: &str, buffer: ByteSize) -> Result<u64, ConfigProblem> {
    if (MIN_BUFFER..=MAX_BUFFER).contains(&buffer) {
        return Ok(buffer.0);
    }
    let problem = format!(
        "is {buffer}; choose between {MIN_BUFFER} and 2GiB (the default is {DEFAULT_BUFFER})"
    );
    Err(ConfigProblem { key: format!("{key}.buffer"), problem })
}
