//! What is said to a receiver and what it answers, for whoever tries a target out.

use std::cell::RefCell;

tokio::task_local! {
    static LINES: RefCell<Vec<String>>;
}

/// Runs `work` and returns what was noted meanwhile.
pub(crate) async fn of<T>(work: impl Future<Output = T>) -> (T, Vec<String>) {
    let noted = async {
        let done = work.await;
        (done, LINES.with(RefCell::take))
    };
    LINES.scope(RefCell::default(), noted).await
}

/// Notes a line, where somebody wants to know. Secrets must not be in it.
pub(crate) fn note(line: impl FnOnce() -> String) {
    // Most often nobody does.
    _ = LINES.try_with(|lines| lines.borrow_mut().push(line()));
}
