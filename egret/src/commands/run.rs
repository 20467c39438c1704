//! `egret run`: all roles in one process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use egret_analyzer::{AnalyzerConfig, Engine};
use egret_api::SourceState;
use egret_collector::AttributionTable;
use egret_event::{InputPosition, Timestamp};
use egret_store::{Store, StoreError};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use crate::cli::ConfigArgs;
use crate::clock;
use crate::commands::learn::new_engine;
use crate::config::{Config, load};
use crate::roles::analyze::{self, Analyze};
use crate::roles::board::Board;
use crate::roles::collect::{self, Collect, ToEngine};
use crate::roles::serve::{self, Serve};
use crate::roles::watchdog::{self, Watchdog};
use crate::roles::write::{self, Writer};
use crate::roles::{ENGINE_QUEUE, WRITE_QUEUE};

/// Changes of incidents that a slow follower of the live stream may be behind.
const STREAM_BACKLOG: usize = 1024;

/// The engine's thread and the store's: they run as long as the process.
const PIPELINE_THREADS: usize = 2;

/// How long the end of the process waits for the store before it gives up what is not written.
const DRAIN_TIME: Duration = Duration::from_secs(20);

/// Registrations that ended longer ago than this are not loaded at start.
const REGISTRATIONS_KEPT: Duration = Duration::from_secs(7 * 86_400);

/// Runs until SIGINT or SIGTERM.
pub async fn run(args: &ConfigArgs) -> Result<()> {
    let loaded = load(args)?;
    if loaded.config.collector.sources.is_empty() {
        bail!(
            "there is nothing to watch: add a [[collector.sources]] entry to the configuration \
             (`egret config` shows what is in force)"
        );
    }
    let running = Running::start(loaded.config).await?;
    running.until_told().await
}

/// A pipeline that runs.
pub struct Running {
    /// How it is doing.
    pub board: Arc<Board>,
    /// Its store.
    pub store: Store,
    /// Where it listens.
    pub address: std::net::SocketAddr,
    stop: watch::Sender<bool>,
    give_up: Arc<AtomicBool>,
    /// First the engine's and the store's, then those of the sources.
    threads: Vec<thread::JoinHandle<()>>,
    served: tokio::task::JoinHandle<Result<()>>,
    ticking: tokio::task::JoinHandle<()>,
    watching: tokio::task::JoinHandle<Result<(), StoreError>>,
}

impl Running {
    /// Starts all roles.
    ///
    /// # Errors
    /// What keeps it from starting: the address, the store, or sources none of which works.
    pub async fn start(config: Config) -> Result<Self> {
        let store = Store::open(&config.store)?;
        let (listener, require_token) = listen(&config, &store).await?;
        let address = listener.local_addr()?;
        let metrics = install_metrics()?;
        let attribution = attribution(&config, &store)?;
        let Restored { engine, positions, worked_until } = engine(&store, &config)?;
        let sources = config.collector.sources;
        let board = Arc::new(Board::new(&sources, engine.summary(), clock::now()));
        let targets: Arc<[_]> = config.targets.into();
        let (stream, _) = broadcast::channel(STREAM_BACKLOG);
        let (stop, stopped) = watch::channel(false);
        let (wake_outbox, give_up) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
        let (tell_feedback, feedback) = watch::channel(store.feedback(clock::now())?);

        let (to_engine, engine_queue) = mpsc::channel(ENGINE_QUEUE);
        let (to_store, store_queue) = mpsc::channel(WRITE_QUEUE);
        let unread_files = collect::unread_files(&sources, &positions);
        let place = (&store, directory_of(&config.store.path));
        let watchdog = Watchdog::new(&board, place, &targets, to_store.clone());
        let analyze = Analyze {
            engine,
            positions: positions.clone(),
            unread_files: unread_files.clone(),
            feedback,
            board: Arc::clone(&board),
            now: clock::now,
        };
        let writer = Writer {
            store: store.clone(),
            targets: Arc::clone(&targets),
            board: Arc::clone(&board),
            stream: stream.clone(),
            wake_outbox: Arc::clone(&wake_outbox),
            give_up: Arc::clone(&give_up),
            now: clock::now,
        };
        let mut threads = vec![
            named("analyze", move || analyze::run(analyze, engine_queue, &to_store))?,
            named("write", move || write::run(&writer, store_queue))?,
        ];
        let collect = Collect {
            sources,
            attribution: Arc::clone(&attribution),
            scanner: Arc::clone(&config.collector.scanner),
            resume: positions,
            worked_until,
            unread_files,
            board: Arc::clone(&board),
        };
        threads.extend(collect::run(collect, &to_engine));
        let ticking = tokio::spawn(tick(to_engine, stopped.clone()));
        let watching = tokio::spawn(watchdog::run(watchdog, stopped.clone()));
        let serve = Serve {
            store: store.clone(),
            targets,
            board: Arc::clone(&board),
            stream,
            wake_outbox,
            tell_feedback,
            attribution,
            metrics,
            api: config.api,
            require_token,
            stop: stopped,
        };
        let served = tokio::spawn(serve::run(serve, listener));
        tracing::info!(%address, "the dashboard and the API are at http://{address}/");
        Ok(Self { board, store, address, stop, give_up, threads, served, ticking, watching })
    }

    /// Runs until SIGINT or SIGTERM, then ends in order.
    ///
    /// # Errors
    /// When no source could be started at all, or a part of the pipeline broke off.
    pub async fn until_told(mut self) -> Result<()> {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .context("cannot listen for SIGTERM")?;
        let mut looked = tokio::time::interval(Duration::from_millis(500));
        let mut some_source_worked = false;
        let failed = loop {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => break None,
                _ = terminate.recv() => break None,
                served = &mut self.served => {
                    served.context("serving failed")??;
                    break Some("serving ended".to_owned());
                }
                _ = looked.tick() => {
                    if let Some(name) = self.broken_thread() {
                        break Some(format!("the thread {name:?} broke off (see the log)"));
                    }
                    some_source_worked |= self.some_source_has_read();
                    if !some_source_worked && let Some(reason) = self.all_sources_failed() {
                        break Some(format!("no source could be started: {reason}"));
                    }
                }
            }
        };
        self.end().await?;
        match failed {
            Some(reason) => bail!(reason),
            None => Ok(()),
        }
    }

    /// The engine's or the store's thread, if it has ended before it was told to: without it
    /// nothing is seen any more, and a restart goes on from the last snapshot.
    fn broken_thread(&self) -> Option<&str> {
        let mut pipeline = self.threads.iter().take(PIPELINE_THREADS);
        pipeline.find(|thread| thread.is_finished())?.thread().name()
    }

    /// Stops the sources, lets everything that was read be stored, and ends.
    pub async fn end(mut self) -> Result<()> {
        tracing::info!("ending");
        for source in self.board.sources() {
            source.stop.store(true, Relaxed);
        }
        let _ = self.stop.send(true);
        self.ticking.await.context("the ticker failed")?;
        self.watching.await.context("the watchdog failed")??;
        let give_up = Arc::clone(&self.give_up);
        let threads = std::mem::take(&mut self.threads);
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a thread panicked");
                }
            }
        });
        tokio::pin!(joined);
        if tokio::time::timeout(DRAIN_TIME, &mut joined).await.is_err() {
            give_up.store(true, Relaxed);
            joined.await.context("ending failed")?;
        }
        if !self.served.is_finished() {
            self.served.await.context("serving failed")??;
        }
        Ok(())
    }

    fn all_sources_failed(&self) -> Option<String> {
        let status = self.board.status(clock::now(), Vec::new());
        let mut failed = status.sources.iter().filter(|s| s.state == SourceState::Failed);
        let reason = failed.next()?.error.clone();
        (failed.count() + 1 == status.sources.len()).then(|| reason.unwrap_or_default())
    }

    fn some_source_has_read(&self) -> bool {
        self.board.sources().iter().any(|source| source.ledger.read().received > 0)
    }
}

fn directory_of(file: &Path) -> &Path {
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty());
    directory.unwrap_or(Path::new("."))
}

fn named(name: &str, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(body).context("cannot start a thread")
}

fn install_metrics() -> Result<PrometheusHandle> {
    let recorder = PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second pipeline in one process (tests) shares the first one's recorder.
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::debug!("metrics are recorded already");
    }
    Ok(handle)
}

fn attribution(config: &Config, store: &Store) -> Result<Arc<AttributionTable>> {
    let table = AttributionTable::new(
        config.collector.segments.clone(),
        config.collector.executors.clone(),
    );
    for registration in store.registrations(clock::now() - REGISTRATIONS_KEPT)? {
        table.register(&registration);
    }
    Ok(Arc::new(table))
}

/// Where the API answers, and whether who asks needs a token.
async fn listen(config: &Config, store: &Store) -> Result<(TcpListener, bool)> {
    let address = config.api.listen;
    let tokens_exist = !store.tokens()?.is_empty();
    let require_token = egret_api::check_listen(address, tokens_exist)?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address} (api.listen)"))?;
    Ok((listener, require_token))
}

/// What an earlier run left.
struct Restored {
    engine: Engine,
    /// Where its inputs stood.
    positions: Vec<InputPosition>,
    /// When it was last known to work. `None`: there was none.
    worked_until: Option<Timestamp>,
}

/// The engine, which listens to the sources that go on for ever, and where its inputs stood.
fn engine(store: &Store, config: &Config) -> Result<Restored> {
    let mut restored = restore(store, &config.analyzer)?;
    let sources = &config.collector.sources;
    restored.engine.listen_to(collect::endless(sources));
    if sources.len() == 1 {
        restored.engine.hear_one_source();
    }
    Ok(restored)
}

/// The engine as the last snapshot left it, and where its inputs stood; or a new one.
fn restore(store: &Store, config: &AnalyzerConfig) -> Result<Restored> {
    let Some(recovery) = store.recover()? else {
        let engine = new_engine(config)?;
        return Ok(Restored { engine, positions: Vec::new(), worked_until: None });
    };
    let engine = match Engine::restore(config.clone(), &recovery.snapshot) {
        Ok(engine) => {
            tracing::info!(written_at = %recovery.written_at, "going on from the last snapshot");
            engine
        }
        Err(error) => {
            // Reading the logs again would alert on the past again, so the positions are kept.
            tracing::warn!(%error, "cannot use the last snapshot: learning starts anew");
            new_engine(config)?
        }
    };
    let worked_until = Some(recovery.written_at);
    Ok(Restored { engine, positions: recovery.positions, worked_until })
}

/// Tells the engine of every second that passes, until `stop`.
async fn tick(to_engine: mpsc::Sender<ToEngine>, mut stop: watch::Receiver<bool>) {
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = seconds.tick() => {
                // A full queue means that the engine is busy: it needs no tick.
                let _ = to_engine.try_send(ToEngine::Tick(clock::now()));
            }
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}
