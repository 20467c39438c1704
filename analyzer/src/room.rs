//! Room in the short lists of a session.

/// Items for which room is made at once: what a list that doubles leaves unused adds up over the many short
/// lists of many sessions.
const AT_ONCE: usize = 2;

/// Makes room for a further item, if there is none.
pub(crate) fn make_room<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(AT_ONCE);
    }
}
