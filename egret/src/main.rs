//! `egret`: pure wiring.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow};
use clap::{CommandFactory, Parser};
use egret::cli::{Cli, Command};
use egret::commands::{
    analyze, check, demo, dlq, doctor, learn, notify, replay, run, simulate, token,
};
use egret::terminal::shown;
use tracing_subscriber::EnvFilter;

/// An event is made and dropped on different threads, hundreds at a time, which the C library's
/// allocator is slow at: this one takes an eighth off reading a log.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        // Whoever read the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // The text may quote what came from a file or the wire.
            eprintln!("egret: {}", shown(&format!("{error:#}")));
            ExitCode::FAILURE
        }
    }
}

fn start(cli: Cli) -> Result<ExitCode> {
    log_to_stderr(&cli.log)?;
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow!("a TLS provider is installed already"))?;
    let done = |()| ExitCode::SUCCESS;
    match cli.command {
        Command::Run(args) => in_runtime(run::run(&args)).map(done),
        Command::Analyze(args) => analyze::run(&args),
        Command::Learn(args) => learn::run(&args).map(done),
        Command::Replay(args) => replay::run(&args).map(done),
        Command::Simulate(args) => simulate::run(&args).map(done),
        Command::Demo(args) => in_runtime(demo::run(&args)).map(done),
        Command::Check(args) => check::check(&args).map(done),
        Command::Config(args) => check::print(&args).map(done),
        Command::Doctor(args) => in_runtime(doctor::run(&args)),
        Command::Token(args) => token::run(&args).map(done),
        Command::Notify(args) => in_runtime(notify::run(&args)).map(done),
        Command::Dlq(args) => dlq::run(&args).map(done),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "egret", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Openapi => {
            std::io::stdout().write_all(egret_api::openapi().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        let json = cause.downcast_ref::<serde_json::Error>().and_then(|e| e.io_error_kind());
        io.or(json) == Some(std::io::ErrorKind::BrokenPipe)
    })
}

fn log_to_stderr(filter: &str) -> Result<()> {
    let filter = EnvFilter::try_new(filter)
        .with_context(|| format!("--log {filter:?} is no level and no filter"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

fn in_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}
