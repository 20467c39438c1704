//! Bytes in, events out.
//!
//! This is the only crate that knows capture files, live interfaces and log dialects. A source
//! runs on its caller's thread ([`run`]) and hands over batches; it knows neither the channel
//! behind them nor the engine.

pub mod als;
mod attribution;
mod config;
mod content;
mod dialects;
mod emit;
mod error;
pub mod logs;
mod names;
pub mod netflow;
pub mod packets;
mod protobuf;
mod recognize;
pub mod syslog;
mod udp;
mod unpack;

pub use attribution::{
    AttributionTable, Claim, Dispute, Segment, StaticExecutor, UNASSIGNED_SEGMENT,
};
pub use config::{
    Carrier, CollectorConfig, ConfigProblem, Dialect, DockerOptions, Input, KubernetesOptions,
    LiveOptions, RawCollector, RawExecutor, RawSegment, RawSource, SourceConfig, SourceKind,
    SyslogProtocol,
};
pub use content::{Hidden, RawSecret, Scanner, SecretKind, Visible};
pub(crate) use emit::offer;
pub use emit::{Batcher, Emit, Refused};
pub use error::CollectError;
pub use logs::{ConnectionNames, names_beforehand};
pub use recognize::{Recognized, recognize};
pub use udp::UdpOptions;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use egret_event::{Event, InputPosition, Ledger, SmolStr, Timestamp};

/// What a source needs from its surroundings.
#[derive(Clone)]
pub struct Context {
    /// Who has which address when.
    pub attribution: Arc<AttributionTable>,
    /// What looks for secrets in what can be seen.
    pub scanner: Arc<Scanner>,
    /// The account of this source: packets or lines.
    pub ledger: Arc<Ledger>,
    /// Set from outside to make a live or following source come to its end.
    pub stop: Arc<AtomicBool>,
    /// The wall clock, for live and following sources only.
    pub now: fn() -> Timestamp,
    /// Bytes of input consumed so far, for a progress bar.
    pub progress: Arc<std::sync::atomic::AtomicU64>,
    /// What logs call connections; sources with the same tell each other.
    pub names: ConnectionNames,
    /// Told when a source that tries again by itself sees nothing for now, and why.
    pub trouble: Arc<Trouble>,
}

impl Context {
    /// Surroundings of a source's own: an account that is empty, and nobody yet who stops it.
    pub fn new(attribution: Arc<AttributionTable>, now: fn() -> Timestamp) -> Self {
        Self {
            attribution,
            scanner: Arc::default(),
            ledger: Arc::default(),
            stop: Arc::default(),
            now,
            progress: Arc::default(),
            names: ConnectionNames::default(),
            trouble: Arc::default(),
        }
    }
}

/// What keeps a source from seeing anything at the moment, if anything does.
#[derive(Debug, Default)]
pub struct Trouble(Mutex<Option<String>>);

impl Trouble {
    /// Notes what keeps it, or that nothing does any more.
    pub fn set(&self, reason: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// What keeps it.
    pub fn get(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The event that tells that nobody listened to `source` from `from` until `until`.
pub fn unwatched(source: &SmolStr, from: Timestamp, until: Timestamp) -> Event {
    packets::gap_event(source, packets::blind_since(from), until)
}

/// Runs one source until its end, or until it is told to stop, on the calling thread.
///
/// `resume` is where a followed log goes on: positions of other files are ignored.
///
/// # Errors
/// What keeps the source from going on (cannot open, no permission, not a capture). What is wrong
/// with single packets or lines is counted in the ledger and reported as gaps.
pub fn run(
    source: &SourceConfig,
    resume: &[InputPosition],
    context: &Context,
    emit: &mut Emit<'_>,
) -> Result<(), CollectError> {
    match &source.kind {
        SourceKind::Capture { path } => packets::run_file(&source.name, path, context, emit),
        SourceKind::Live(options) => packets::run_live(&source.name, options, context, emit),
        SourceKind::Netflow(Input::Port(options)) => {
            netflow::run_listening(&source.name, options, context, emit)
        }
        SourceKind::Netflow(Input::File(path)) => {
            netflow::run_file(&source.name, path, context, emit)
        }
        SourceKind::Syslog { carrier: Carrier::Udp(options), dialect } => {
            syslog::run_datagrams(&source.name, options, *dialect, context, emit)
        }
        SourceKind::Syslog { carrier: Carrier::Tcp(listen), dialect } => {
            syslog::run_streams(&source.name, *listen, *dialect, context, emit)
        }
        SourceKind::EnvoyAls { listen } => als::run(&source.name, *listen, context, emit),
        SourceKind::Log { path, dialect, follow: false } => {
            logs::run_whole(&source.name, path, *dialect, context, emit)
        }
        SourceKind::Log { path, dialect, follow: true } => {
            logs::run_following(&source.name, path, *dialect, resume, context, emit)
        }
        #[cfg(feature = "kubernetes")]
        SourceKind::Kubernetes(options) => {
            attribution::run_kubernetes(&source.name, options, context, emit)
        }
        #[cfg(feature = "docker")]
        SourceKind::Docker(options) => {
            attribution::run_docker(&source.name, options, context, emit)
        }
        // The configuration is refused where they are not built in.
        #[cfg(not(feature = "kubernetes"))]
        SourceKind::Kubernetes(_) => Err(CollectError::built_without("the Kubernetes API")),
        #[cfg(not(feature = "docker"))]
        SourceKind::Docker(_) => Err(CollectError::built_without("the container engine")),
    }
}
