//! Change notices of the operating system, so that a follower need not wait for its next look.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use notify_watch::{RecommendedWatcher, RecursiveMode, Watcher};

/// Wakes a follower when its log changes.
pub(super) struct Wake {
    changed: Receiver<()>,
    /// Keeps the channel open where there is no watcher, so that waiting is waiting.
    _wake: SyncSender<()>,
    _watcher: Option<RecommendedWatcher>,
}

impl Wake {
    /// Watches the folder of the log at `path`, and not the file, which may be renamed. Where that
    /// does not work, [`Self::wait`] always waits for its whole time.
    pub(super) fn on_changes_of(path: &Path) -> Self {
        let (wake, changed) = sync_channel(1);
        let watcher = watch(path, wake.clone());
        if let Err(error) = &watcher {
            tracing::debug!(path = %path.display(), %error, "no change notices for this log");
        }
        Self { changed, _wake: wake, _watcher: watcher.ok() }
    }

    /// Waits until the log changes, for at most `longest`.
    pub(super) fn wait(&self, longest: Duration) {
        // Woken or timed out: either is a reason to look.
        let _ = self.changed.recv_timeout(longest);
    }
}

fn watch(path: &Path, wake: SyncSender<()>) -> notify_watch::Result<RecommendedWatcher> {
    let name = path.file_name().map(ToOwned::to_owned);
    let is_ours = move |touched: &PathBuf| touched.file_name() == name.as_deref();
    let mut watcher = notify_watch::recommended_watcher(
        move |change: notify_watch::Result<notify_watch::Event>| {
            // Our own opening and reading is no change.
            let changed = change
                .is_ok_and(|change| !change.kind.is_access() && change.paths.iter().any(&is_ours));
            if changed {
                // A full channel means that the follower is going to look anyway.
                let _ = wake.try_send(());
            }
        },
    )?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    watcher.watch(folder.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
    Ok(watcher)
}
