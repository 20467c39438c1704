//! The command line: what can be typed.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use egret_analyzer::Severity;
use egret_event::{EventId, HumanDuration, ParseTimestampError, Timestamp};
use egret_store::Role;

use crate::commands::replay::SuppressArg;
use crate::simulate::{Manner, Scenario};

/// Watches what AI-agent code executors send out, and alerts on exfiltration.
#[derive(Debug, Parser)]
#[command(name = "egret", version, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How much to log: error, warn, info, debug, trace, or a filter such as `egret=debug`.
    #[arg(long, global = true, env = "EGRET_LOG", default_value = "info")]
    pub log: String,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Collect, analyze, store, alert and serve, in one process.
    Run(ConfigArgs),
    /// Analyze captures and logs and print the incidents; nothing is deployed or written.
    Analyze(AnalyzeArgs),
    /// Learn what is normal from captures and logs that there are already, into a file to begin with.
    Learn(LearnArgs),
    /// Judge the events in the store again, by another configuration, and say what that changes.
    Replay(ReplayArgs),
    /// Write captures and logs of an attack among ordinary traffic.
    Simulate(SimulateArgs),
    /// Simulate attacks, run the whole pipeline on them, and serve the dashboard.
    Demo(DemoArgs),
    /// Check the configuration and say what is wrong with it.
    Check(ConfigArgs),
    /// Print the effective configuration, and where each value came from.
    Config(ConfigArgs),
    /// Look at a running egret, or at this machine, and say what is not well.
    Doctor(ConfigArgs),
    /// Make, list and remove API tokens.
    Token(TokenArgs),
    /// Try the targets of alerts out.
    Notify(NotifyArgs),
    /// Alerts that could not be delivered: list them, or send them again.
    Dlq(DlqArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the OpenAPI document of the API.
    #[command(hide = true)]
    Openapi,
}

/// Where the configuration comes from. Later ones win: defaults, file, environment, flags.
#[derive(Debug, Clone, Default, Args)]
pub struct ConfigArgs {
    /// The configuration file. Without it, `egret.toml` here or `/etc/egret/egret.toml` is used
    /// if it exists.
    #[arg(short, long, global = true, env = "EGRET_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Set one key, such as `--set api.listen=127.0.0.1:9000`; may be given more than once.
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// What to analyze.
#[derive(Debug, Args)]
pub struct AnalyzeArgs {
    /// Captures (pcap, pcapng), NetFlow and IPFIX, and logs of proxies and sensors, in any mix.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// What to print, and how.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Exit with status 3 if there is an incident of at least this severity.
    #[arg(long, value_enum, value_name = "SEVERITY")]
    pub fail_on: Option<SeverityArg>,
    /// Who had which address when.
    #[command(flatten)]
    pub executors: ExecutorsArg,
    /// Segments, executors and policy; sources and outputs in it are not used.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// Executors that had an address only for a time.
#[derive(Debug, Clone, Default, Args)]
pub struct ExecutorsArg {
    /// Executors with the times at which each had its address: a JSON array of what the API's
    /// registration takes (`id`, `address`, `template`, `tenant`, `session`, `from`, `until`).
    #[arg(long = "executors", value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// What to learn from.
#[derive(Debug, Args)]
pub struct LearnArgs {
    /// Captures (pcap, pcapng), NetFlow and IPFIX, and logs of proxies and sensors, in any mix.
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The file to write; name it in `analyzer.baseline`.
    #[arg(short, long, value_name = "FILE")]
    pub out: PathBuf,
    /// Who had which address when.
    #[command(flatten)]
    pub executors: ExecutorsArg,
    /// How to say what was learned.
    #[arg(long, value_enum, default_value_t)]
    pub format: LearnFormat,
    /// Segments, and executors with their templates. A baseline that it names is learned on top of.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How to say what was learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LearnFormat {
    /// A sentence.
    #[default]
    Text,
    /// One JSON document.
    Json,
}

/// What to judge again, and by what.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Events since then: a time, or a duration before now, such as `7d`.
    #[arg(long, value_name = "TIME")]
    pub since: Moment,
    /// Events before then; without it, until now.
    #[arg(long, value_name = "TIME")]
    pub until: Option<Moment>,
    /// Say which incidents would appear, vanish or change against the configuration in effect.
    #[arg(long)]
    pub diff: bool,
    /// The configuration in effect, with `--diff`. Without it, `egret.toml` here or
    /// `/etc/egret/egret.toml`.
    #[arg(long, env = "EGRET_CONFIG", value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Try a suppression beside those in the store, such as
    /// `destination=example.org,template=python`; may be given more than once. Keys: destination,
    /// template, tenant, detector.
    #[arg(long, value_name = "KEY=VALUE,…")]
    pub suppress: Vec<SuppressArg>,
    /// How to print what was found.
    #[arg(long, value_enum, default_value_t)]
    pub format: ReplayFormat,
    /// The changed configuration; it also says where the store is.
    #[command(flatten)]
    pub config: ConfigArgs,
}

/// How to print what a replay found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReplayFormat {
    /// For people.
    #[default]
    Table,
    /// One JSON document.
    Json,
}

/// A moment, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Itself.
    At(Timestamp),
    /// So long before now.
    Ago(HumanDuration),
}

impl Moment {
    /// The moment, seen from `now`.
    pub fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(ago) => now - ago.0,
        }
    }
}

impl FromStr for Moment {
    type Err = ParseTimestampError;
    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        typed.parse().map(Self::Ago).or_else(|_| typed.parse().map(Self::At))
    }
}

/// What to print of an analysis, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Incidents, for people.
    #[default]
    Table,
    /// One JSON document: incidents, and the account of what was read.
    Json,
    /// The events themselves, one JSON object per line, in the order of their time.
    Events,
}

/// A severity, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SeverityArg {
    /// Worth knowing.
    Low,
    /// Look at it today.
    Medium,
    /// Look at it now.
    High,
    /// Wake somebody.
    Critical,
}

impl From<SeverityArg> for Severity {
    fn from(typed: SeverityArg) -> Self {
        match typed {
            SeverityArg::Low => Self::Low,
            SeverityArg::Medium => Self::Medium,
            SeverityArg::High => Self::High,
            SeverityArg::Critical => Self::Critical,
        }
    }
}

/// What to simulate.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// The attack, or `benign` for none.
    #[arg(value_enum)]
    pub scenario: Scenario,
    /// How the attack is gone about.
    #[arg(long, value_enum, default_value_t = Manner::Plain)]
    pub manner: Manner,
    /// The folder to write to; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// The same seed gives the same bytes. From 1001 on, held-out recordings of programs are replayed.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// When the traffic starts.
    #[arg(long, value_name = "TIME", default_value = "2026-01-05T09:00:00Z")]
    pub start: Timestamp,
    /// How many ordinary sessions to write around the attack.
    #[arg(long, default_value_t = 48)]
    pub sessions: u32,
    /// End the attack when a session has stolen so many bytes.
    #[arg(long, value_name = "N")]
    pub bytes: Option<NonZeroUsize>,
}

/// How to run the demo.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Where to serve the dashboard.
    #[arg(long, default_value = "127.0.0.1:8787")]
    pub listen: SocketAddr,
    /// The folder for its traffic and its database; emptied of an earlier demo first.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print the incidents and end, without serving the dashboard.
    #[arg(long)]
    pub once: bool,
}

/// What to do with tokens.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// Where the store is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: TokenAction,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token and print it; it cannot be shown again.
    Create {
        /// Whose it is; shown in the history of incidents.
        name: String,
        /// What it allows.
        #[arg(long, value_enum)]
        role: RoleArg,
        /// When it stops to work, from now, such as `90d`.
        #[arg(long, value_name = "DURATION")]
        expires: Option<HumanDuration>,
    },
    /// List tokens by name.
    List,
    /// Remove a token.
    Remove {
        /// Its name.
        name: String,
    },
}

/// A role, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RoleArg {
    /// Register executors.
    Collector,
    /// Read.
    Viewer,
    /// Read, and work on incidents.
    Analyst,
    /// Everything.
    Admin,
}

impl From<RoleArg> for Role {
    fn from(typed: RoleArg) -> Self {
        match typed {
            RoleArg::Collector => Self::Collector,
            RoleArg::Viewer => Self::Viewer,
            RoleArg::Analyst => Self::Analyst,
            RoleArg::Admin => Self::Admin,
        }
    }
}

/// What to try out.
#[derive(Debug, Args)]
pub struct NotifyArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: NotifyAction,
}

/// What to do with a target.
#[derive(Debug, Subcommand)]
pub enum NotifyAction {
    /// Send it a marked incident that opens and is closed again, and show what is said and answered.
    Test {
        /// Its name in the configuration.
        target: String,
        /// Where the targets are.
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// What to do with alerts that could not be delivered.
#[derive(Debug, Args)]
pub struct DlqArgs {
    /// Where the store is.
    #[command(flatten)]
    pub config: ConfigArgs,
    /// What to do.
    #[command(subcommand)]
    pub action: DlqAction,
}

/// What to do with alerts that could not be delivered.
#[derive(Debug, Subcommand)]
pub enum DlqAction {
    /// List them, newest first.
    List {
        /// Of this target only.
        #[arg(long)]
        target: Option<String>,
    },
    /// Make them due again; a running egret sends them.
    Replay {
        /// Of this target only.
        #[arg(long)]
        target: Option<String>,
        /// This alert only, by its id.
        #[arg(long, value_name = "ID")]
        alert: Option<EventId>,
    },
}
