//! A source, checked.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use egret_event::SmolStr;
use serde::{Deserialize, Serialize};

use crate::UdpOptions;
use crate::logs::mapping::Mapping;

/// A source, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceConfig {
    /// Its name in events and metrics.
    pub name: SmolStr,
    /// What it is.
    pub kind: SourceKind,
}

/// What a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    /// A capture file.
    Capture {
        /// Its path.
        path: PathBuf,
    },
    /// A live interface.
    Live(LiveOptions),
    /// A proxy's access log.
    Log {
        /// Its path.
        path: PathBuf,
        /// Its dialect. `None`: recognized by content, line by line.
        dialect: Option<Dialect>,
        /// Whether to go on as it grows and rotates.
        follow: bool,
    },
    /// NetFlow and IPFIX.
    Netflow(Input),
    /// Envoy's gRPC access log service.
    EnvoyAls {
        /// Where it listens.
        listen: SocketAddr,
    },
    /// Logs that are sent here.
    Syslog {
        /// How they are sent.
        carrier: Carrier,
        /// Their dialect. `None`: recognized by content.
        dialect: Option<Dialect>,
    },
    /// The pods of a cluster.
    Kubernetes(KubernetesOptions),
    /// The containers of a container engine.
    Docker(DockerOptions),
}

/// Where datagrams come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A UDP port.
    Port(UdpOptions),
    /// A file.
    File(PathBuf),
}

/// Where logs are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carrier {
    /// A UDP port.
    Udp(UdpOptions),
    /// A TCP port.
    Tcp(SocketAddr),
}

/// Which cluster, and which of its pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KubernetesOptions {
    /// A kubeconfig file. `None`: the pod's own service account, else `KUBECONFIG`, else
    /// `~/.kube/config`.
    pub kubeconfig: Option<PathBuf>,
    /// Only pods of this namespace.
    pub namespace: Option<String>,
    /// Only pods with these labels, as in `kubectl get --selector`.
    pub selector: Option<String>,
    /// Only pods on this node: for a collector per node.
    pub node: Option<String>,
}

/// Which container engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DockerOptions {
    /// Its socket.
    pub socket: PathBuf,
}

/// How to capture from an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveOptions {
    /// The interface.
    pub interface: String,
    /// A pcap-filter(7) expression; empty: everything.
    pub filter: String,
    /// Kernel buffer, in bytes.
    pub buffer_bytes: u64,
    /// Whether to see packets for other hosts.
    pub promiscuous: bool,
    /// Threads that share the interface's flows.
    pub threads: usize,
}

/// A log dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// Squid's native access log.
    SquidNative,
    /// Squid with `logformat egret` (see `deploy/squid`).
    SquidEgret,
    /// Envoy's access log in JSON (see `deploy/envoy`).
    EnvoyJson,
    /// Argus flows, with commas (`binetflow`).
    Argus,
    /// Suricata's events (EVE).
    SuricataEve,
    /// Any of Zeek's logs, in columns.
    ZeekTsv,
    /// Any of Zeek's logs, or all in one stream, in JSON.
    ZeekJson,
    /// Smokescreen's log.
    Smokescreen,
    /// Flows of Cilium's Hubble in JSON.
    CiliumHubble,
    /// AWS VPC flow logs.
    AwsVpc,
    /// Told by a mapping, shipped or of the configuration.
    #[serde(skip)]
    Mapped(&'static Mapping),
}

impl SourceKind {
    /// The port that it listens at, with its protocol.
    pub(super) fn port(&self) -> Option<String> {
        match self {
            Self::Netflow(Input::Port(options))
            | Self::Syslog { carrier: Carrier::Udp(options), .. } => {
                Some(format!("udp {}", options.listen))
            }
            Self::Syslog { carrier: Carrier::Tcp(listen), .. } | Self::EnvoyAls { listen } => {
                Some(format!("tcp {listen}"))
            }
            Self::Netflow(Input::File(_))
            | Self::Capture { .. }
            | Self::Live(_)
            | Self::Log { .. }
            | Self::Kubernetes(_)
            | Self::Docker(_) => None,
        }
    }

    /// Whether it comes to an end by itself.
    pub fn is_finite(&self) -> bool {
        matches!(
            self,
            Self::Capture { .. } | Self::Log { follow: false, .. } | Self::Netflow(Input::File(_))
        )
    }

    /// Whether what feeds it would wait: if not, what does not fit is to be dropped and counted.
    pub fn can_wait(&self) -> bool {
        !matches!(
            self,
            Self::Live(_)
                | Self::Netflow(Input::Port(_))
                | Self::Syslog { carrier: Carrier::Udp(_), .. }
        )
    }

    /// The file that it reads, if it reads one.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Capture { path } | Self::Log { path, .. } | Self::Netflow(Input::File(path)) => {
                Some(path)
            }
            Self::Live(_)
            | Self::Netflow(Input::Port(_))
            | Self::Syslog { .. }
            | Self::EnvoyAls { .. }
            | Self::Kubernetes(_)
            | Self::Docker(_) => None,
        }
    }

    /// What it is called in answers of the API.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Capture { .. } => "capture",
            Self::Live(_) => "live",
            Self::Log { .. } => "log",
            Self::Netflow(_) => "netflow",
            Self::Syslog { .. } => "syslog",
            Self::Kubernetes(_) => "kubernetes",
            Self::Docker(_) => "docker",
            Self::EnvoyAls { .. } => "envoy-als",
        }
    }
}
