//! The `[collector]` section: as written, and as checked.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use egret_event::{ByteSize, SmolStr};
use foldhash::quality::FixedState;
use hashbrown::HashMap;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::attribution::UNASSIGNED_SEGMENT;
use crate::content::{self, RawSecret, Scanner};
use crate::logs::mapping::{self, Mapping, RawMapping};
use crate::{Segment, StaticExecutor, UdpOptions, dialects, unpack};

/// The `[collector]` section as written: unknown keys refused.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawCollector {
    /// Network ranges that hold executors.
    pub segments: Vec<RawSegment>,
    /// Executors with a fixed address.
    pub executors: Vec<RawExecutor>,
    /// Where events come from.
    pub sources: Vec<RawSource>,
    /// Dialects of logs that are not shipped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mappings: Vec<RawMapping>,
    /// Values that must not leave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<RawSecret>,
}

/// A `[[collector.segments]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawSegment {
    /// Its name.
    pub name: SmolStr,
    /// Its address ranges.
    pub ranges: Vec<IpNet>,
}

/// A `[[collector.executors]]` entry.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RawExecutor {
    /// Its id.
    pub id: SmolStr,
    /// Its address.
    pub address: IpAddr,
    /// The kind of executor.
    pub template: Option<SmolStr>,
    /// Who it works for.
    pub tenant: Option<SmolStr>,
}

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

/// The `[collector]` section, checked.
#[derive(Debug, Clone)]
pub struct CollectorConfig {
    /// Network ranges that hold executors.
    pub segments: Vec<Segment>,
    /// Executors with a fixed address.
    pub executors: Vec<StaticExecutor>,
    /// Where events come from; names are unique.
    pub sources: Vec<SourceConfig>,
    /// What looks for secrets in what can be seen.
    pub scanner: Arc<Scanner>,
}

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

/// What carries syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SyslogProtocol {
    /// Datagrams: the sender never waits, and what is too much is dropped.
    Udp,
    /// A stream: the sender waits.
    Tcp,
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

/// A key of the `[collector]` section holds something that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key}: {problem}")]
pub struct ConfigProblem {
    /// The key, for example `collector.sources[2].path`.
    pub key: String,
    /// What is wrong with it, and what helps.
    pub problem: String,
}

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

/// Longest accepted name, in bytes: as for registered executors.
const MAX_NAME_BYTES: usize = 256;

impl RawCollector {
    /// Checks the section and fills in the defaults.
    ///
    /// # Errors
    /// The first key that cannot be used, in the order of the section.
    pub fn check(&self) -> Result<CollectorConfig, ConfigProblem> {
        Ok(CollectorConfig {
            segments: self.check_segments()?,
            executors: self.check_executors()?,
            sources: self.check_sources(&self.check_mappings()?)?,
            scanner: self.check_secrets()?,
        })
    }

    fn check_secrets(&self) -> Result<Arc<Scanner>, ConfigProblem> {
        let mut names = Taken::default();
        for (n, secret) in self.secrets.iter().enumerate() {
            let key = format!("collector.secrets[{n}]");
            check_name(&key, "name", &secret.name)?;
            names.take(&secret.name, format!("{key}.name"))?;
        }
        content::check(&self.secrets).map(Arc::new)
    }

    fn check_segments(&self) -> Result<Vec<Segment>, ConfigProblem> {
        let mut names = Taken::default();
        let mut ranges = Taken::default();
        let mut checked = Vec::with_capacity(self.segments.len());
        for (n, raw) in self.segments.iter().enumerate() {
            let key = format!("collector.segments[{n}]");
            check_name(&key, "name", &raw.name)?;
            if raw.name == UNASSIGNED_SEGMENT {
                let problem = format!("{UNASSIGNED_SEGMENT:?} is reserved; choose another name");
                return Err(ConfigProblem { key: format!("{key}.name"), problem });
            }
            names.take(&raw.name, format!("{key}.name"))?;
            if raw.ranges.is_empty() {
                let problem = "holds no range; add one such as \"10.20.0.0/16\"".to_owned();
                return Err(ConfigProblem { key: format!("{key}.ranges"), problem });
            }
            for (m, range) in raw.ranges.iter().enumerate() {
                let key = format!("{key}.ranges[{m}]");
                check_range(&key, range)?;
                ranges.take(&range.trunc().to_string(), key)?;
            }
            checked.push(Segment { name: raw.name.clone(), ranges: raw.ranges.clone() });
        }
        Ok(checked)
    }

    fn check_executors(&self) -> Result<Vec<StaticExecutor>, ConfigProblem> {
        let mut ids = Taken::default();
        let mut addresses = Taken::default();
        let mut checked = Vec::with_capacity(self.executors.len());
        for (n, raw) in self.executors.iter().enumerate() {
            let key = format!("collector.executors[{n}]");
            check_name(&key, "id", &raw.id)?;
            for (field, name) in [("template", &raw.template), ("tenant", &raw.tenant)] {
                name.as_ref().map_or(Ok(()), |name| check_name(&key, field, name))?;
            }
            let address = raw.address.to_canonical();
            ids.take(&raw.id, format!("{key}.id"))?;
            addresses.take(&address.to_string(), format!("{key}.address"))?;
            checked.push(StaticExecutor {
                id: raw.id.clone(),
                address,
                template: raw.template.clone(),
                tenant: raw.tenant.clone(),
            });
        }
        Ok(checked)
    }

    fn check_mappings(&self) -> Result<Vec<&'static Mapping>, ConfigProblem> {
        let mut names = Taken::default();
        let mut checked = Vec::with_capacity(self.mappings.len());
        for (n, raw) in self.mappings.iter().enumerate() {
            let key = format!("collector.mappings[{n}]");
            check_name(&key, "name", &raw.name)?;
            names.take(&raw.name, format!("{key}.name"))?;
            if dialects::named(&raw.name, &[]).is_some() {
                let problem = format!("{:?} is a shipped dialect; choose another name", raw.name);
                return Err(ConfigProblem { key: format!("{key}.name"), problem });
            }
            let mapping = raw.compile().map_err(|(inner, problem)| ConfigProblem {
                key: format!("{key}.{inner}"),
                problem,
            })?;
            checked.push(mapping::kept(mapping));
        }
        Ok(checked)
    }

    fn check_sources(
        &self,
        mappings: &[&'static Mapping],
    ) -> Result<Vec<SourceConfig>, ConfigProblem> {
        let mut names = Taken::default();
        let mut logs = Taken::default();
        let mut ports = Taken::default();
        let mut checked = Vec::with_capacity(self.sources.len());
        for (n, raw) in self.sources.iter().enumerate() {
            let key = format!("collector.sources[{n}]");
            let source = raw.check(&key, mappings)?;
            check_name(&key, "name", &source.name)?;
            names.take(&source.name, format!("{key}.name"))?;
            // Two readers of one log would count its lines twice and mix up their positions.
            if let SourceKind::Log { path, .. } = &source.kind {
                logs.take(&path.to_string_lossy(), format!("{key}.path"))?;
            }
            if let Some(port) = source.kind.port() {
                ports.take(&port, format!("{key}.listen"))?;
            }
            checked.push(source);
        }
        Ok(checked)
    }
}

impl SourceKind {
    /// The port that it listens at, with its protocol.
    fn port(&self) -> Option<String> {
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

impl RawSource {
    fn check(
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

fn check_name(key: &str, field: &str, name: &str) -> Result<(), ConfigProblem> {
    let problem = if name.is_empty() {
        "is empty; give it a value or leave the key out where it is optional".to_owned()
    } else if name.len() > MAX_NAME_BYTES {
        format!("is {} bytes long; shorten it to at most {MAX_NAME_BYTES}", name.len())
    } else if name.chars().any(char::is_control) {
        "holds a control character; remove it".to_owned()
    } else {
        return Ok(());
    };
    Err(ConfigProblem { key: format!("{key}.{field}"), problem })
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

/// Refuses IPv4 ranges in IPv6 clothes: addresses are compared in their plain form, so such a
/// range would hold nothing.
fn check_range(key: &str, range: &IpNet) -> Result<(), ConfigProblem> {
    let mapped = matches!(range, IpNet::V6(v6) if v6.addr().to_ipv4_mapped().is_some());
    if !mapped {
        return Ok(());
    }
    let problem = format!("{range} is an IPv4 range written as IPv6; write it as IPv4");
    Err(ConfigProblem { key: key.to_owned(), problem })
}

/// Values that must not occur twice, and the key at which each was first seen.
#[derive(Default)]
struct Taken(HashMap<String, String, FixedState>);

impl Taken {
    fn take(&mut self, value: &str, key: String) -> Result<(), ConfigProblem> {
        if let Some(first) = self.0.get(value) {
            let problem = format!("{value:?} is already used by {first}; each must be different");
            return Err(ConfigProblem { key, problem });
        }
        self.0.insert(value.to_owned(), key);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> RawCollector {
        toml::from_str(text).unwrap()
    }

    fn problem(text: &str) -> String {
        read(text).check().unwrap_err().to_string()
    }

    const FULL: &str = r#"
        [[segments]]
        name = "sandboxes"
        ranges = ["10.20.0.0/16", "fd00:20::/32"]

        [[executors]]
        id = "builder"
        address = "10.20.0.9"
        template = "ci"
        tenant = "acme"

        [[sources]]
        kind = "capture"
        path = "a.pcap"

        [[sources]]
        kind = "live"
        interface = "eth0"

        [[sources]]
        kind = "log"
        name = "proxy"
        path = "/var/log/squid/access.log"
        dialect = "squid-egret"
    "#;

    #[test]
    fn ports_are_checked_and_used_once() {
        let netflow = "[[sources]]\nkind = \"netflow\"\n";
        let syslog = "[[sources]]\nkind = \"syslog\"\n";
        let port = "listen = \"0.0.0.0:2055\"\n";
        let name = "name = \"b\"\n";
        let checked = read(&format!("{netflow}{port}{syslog}protocol = \"tcp\"\n{port}")).check();
        let names: Vec<_> =
            checked.unwrap().sources.into_iter().map(|source| source.name).collect();
        assert_eq!(names, ["udp 0.0.0.0:2055", "tcp 0.0.0.0:2055"]);
        let twice = problem(&format!("{netflow}{port}{syslog}{name}{port}"));
        assert!(twice.contains("already used by collector.sources[0].listen"), "{twice}");
        for neither in [String::new(), format!("{port}path = \"x\"\n")] {
            let problem = problem(&format!("{netflow}{neither}"));
            assert!(problem.contains("listen: needs either"), "{problem}");
        }
    }

    #[test]
    fn what_is_left_out_gets_its_documented_default() {
        let checked = read(FULL).check().unwrap();
        assert_eq!(checked.segments[0].ranges.len(), 2);
        assert_eq!(checked.executors[0].tenant.as_deref(), Some("acme"));
        let names: Vec<_> = checked.sources.iter().map(|source| source.name.as_str()).collect();
        assert_eq!(names, ["a.pcap", "eth0", "proxy"]);
        assert_eq!(
            checked.sources[1].kind,
            SourceKind::Live(LiveOptions {
                interface: "eth0".into(),
                filter: String::new(),
                buffer_bytes: 67_108_864,
                promiscuous: true,
                threads: 1,
            })
        );
        assert_eq!(
            checked.sources[2].kind,
            SourceKind::Log {
                path: "/var/log/squid/access.log".into(),
                dialect: Some(Dialect::SquidEgret),
                follow: true,
            }
        );
    }

    #[test]
    fn a_written_section_reads_back_the_same() {
        let raw = read(FULL);
        let written = toml::to_string(&raw).unwrap();
        assert_eq!(toml::to_string(&read(&written)).unwrap(), written);
        assert_eq!(read(&written).check().unwrap().sources, raw.check().unwrap().sources);
    }

    #[test]
    fn unknown_keys_are_refused_and_the_place_is_shown() {
        for (text, word, line) in [
            ("segment = []", "segment", "line 1"),
            ("[[executors]]\nid = \"a\"\naddress = \"10.0.0.1\"\ncolour = 1", "colour", "line 4"),
            ("\n\n[[sources]]\nkind = \"live\"\ninterface = \"e\"\npath = \"x\"", "path", "line 3"),
            ("[[sources]]\nkind = \"telepathy\"", "telepathy", "line 2"),
            ("[[sources]]\nkind = \"log\"", "path", "line 1"),
        ] {
            let error = toml::from_str::<RawCollector>(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
            assert!(error.contains(line), "{error}");
        }
    }

    #[test]
    fn a_compressed_log_is_read_once_and_not_followed() {
        let log = |more: &str| format!("[[sources]]\nkind = \"log\"\npath = \"a.log.gz\"\n{more}");
        for text in [log(""), log("follow = true")] {
            let problem = problem(&text);
            assert!(problem.starts_with("collector.sources[0].path: \"a.log.gz\" is"), "{problem}");
            assert!(problem.contains("follow = false"), "{problem}");
        }
        assert!(read(&log("follow = false")).check().is_ok());
    }

    #[test]
    fn a_log_may_be_of_a_mapping_of_one_s_own_or_of_a_shipped_one() {
        let text = r#"
            [[mappings]]
            name = "ours"
            nginx = '$remote_addr $msec $host $status "$request"'
            blocked = [{ status = ["403", "451"] }]

            [[mappings]]
            name = "laptop"
            like = "proxifier"
            fixed = { client = "10.20.0.9" }

            [[sources]]
            kind = "log"
            path = "a"
            dialect = "ours"

            [[sources]]
            kind = "log"
            path = "b"
            dialect = "nginx-json"
        "#;
        let checked = read(text).check().unwrap();
        let names: Vec<_> = checked
            .sources
            .iter()
            .map(|source| match source.kind {
                SourceKind::Log { dialect: Some(Dialect::Mapped(mapping)), .. } => mapping.name(),
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["ours", "nginx-json"]);
        assert_eq!(read(text).check().unwrap().sources, checked.sources);
    }

    #[test]
    fn mappings_that_cannot_be_used_are_told_with_the_key() {
        let mapping = |more: &str| format!("[[mappings]]\nname = \"x\"\n{more}");
        for (text, expected) in [
            (mapping(""), "collector.mappings[0].pattern: is missing"),
            (mapping("like = \"y\""), "collector.mappings[0].like: \"y\" is no shipped mapping"),
            (
                mapping("pattern = \"{time}{client}\""),
                "collector.mappings[0].pattern: has two fields",
            ),
            (mapping("pattern = \"{time} {host}\""), "nothing is mapped to client"),
            (
                mapping("nginx = \"$msec $remote_addr $host\"\napache = \"%h\""),
                "mappings[0].apache: is given beside",
            ),
            (
                mapping("json = { time = \"ts\" }"),
                "mappings[0].json.time: \"ts\" is no JSON pointer",
            ),
            (
                mapping("pattern = \"{time} {client} {host}\"\nunits = { host = \"s\" }"),
                "mappings[0].units.host: has no unit",
            ),
            (
                mapping("pattern = \"{time} {client} {host}\"\nblocked = [{ status = [\"403\"] }]"),
                "mappings[0].blocked[0].status: nothing is mapped",
            ),
            (mapping("like = \"proxifier\"\nzone = \"CET\""), "\"CET\" is no offset"),
            (
                "[[mappings]]\nname = \"envoy-json\"\nlike = \"caddy\"".to_owned(),
                "\"envoy-json\" is a shipped dialect",
            ),
        ] {
            let problem = problem(&text);
            assert!(problem.contains(expected), "{problem}\nnot {expected}");
        }
    }

    #[test]
    fn an_unknown_dialect_is_told_with_those_that_are_like_it() {
        let source = |dialect: &str| {
            problem(&format!("[[sources]]\nkind = \"log\"\npath = \"a\"\ndialect = \"{dialect}\""))
        };
        let near = source("squid-nativ");
        assert!(
            near.contains("collector.sources[0].dialect: \"squid-nativ\" is no dialect"),
            "{near}"
        );
        assert!(near.contains("did you mean \"squid-native\"?"), "{near}");
        let far = source("zzzzzzzzzzzz");
        assert!(far.contains("choose one of") && far.contains("haproxy-http"), "{far}");
    }

    #[test]
    fn problems_name_the_key_and_the_cure() {
        let source = |more: &str| format!("[[sources]]\nkind = {more}\n");
        let log = source("\"log\"\npath = \"a\"\nname = \"x\"");
        for (text, expected) in [
            (
                format!("{log}{}", source("\"log\"\npath = \"b\"\nname = \"x\"")),
                "collector.sources[1].name: \"x\" is already used by collector.sources[0].name; \
                 each must be different",
            ),
            (
                format!("{log}{}", source("\"log\"\npath = \"a\"\nname = \"y\"")),
                "collector.sources[1].path: \"a\" is already used by collector.sources[0].path; \
                 each must be different",
            ),
            (
                source("\"capture\"\npath = \"\""),
                "collector.sources[0].path: is empty; give the path of a file",
            ),
            (
                source("\"live\"\ninterface = \"e\"\nbuffer = \"0\""),
                "collector.sources[0].buffer: is 0B; choose between 64KiB and 2GiB \
                 (the default is 64MiB)",
            ),
        ] {
            assert_eq!(problem(&text), expected);
        }
    }

    #[test]
    fn segments_and_executors_must_be_told_apart() {
        let segment = |name: &str, range: &str| {
            format!("[[segments]]\nname = {name:?}\nranges = [{range:?}]\n")
        };
        let executor =
            |id: &str, at: &str| format!("[[executors]]\nid = {id:?}\naddress = {at:?}\n");
        for (text, key) in [
            (segment("", "10.0.0.0/8"), "collector.segments[0].name"),
            (segment("unassigned", "10.0.0.0/8"), "collector.segments[0].name"),
            (segment("a", "::ffff:10.0.0.0/104"), "collector.segments[0].ranges[0]"),
            (
                segment("a", "10.0.0.0/8") + &segment("b", "10.1.0.0/8"),
                "collector.segments[1].ranges[0]",
            ),
            (
                segment("a", "10.0.0.0/8") + &segment("a", "10.1.0.0/16"),
                "collector.segments[1].name",
            ),
            (executor("\t", "10.0.0.1"), "collector.executors[0].id"),
            (executor("a", "10.0.0.1") + &executor("a", "10.0.0.2"), "collector.executors[1].id"),
            (
                executor("a", "10.0.0.1") + &executor("b", "::ffff:10.0.0.1"),
                "collector.executors[1].address",
            ),
        ] {
            assert_eq!(read(&text).check().unwrap_err().key, key, "{text}");
        }
        assert!(read(&(segment("a", "10.0.0.0/8") + &segment("b", "10.1.0.0/16"))).check().is_ok());
    }
}
