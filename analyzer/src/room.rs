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

/// Puts an item into a list of at most so many: at its end, or in place of the one of the lowest rank, of
/// several the first. Where it is now.
pub(crate) fn put<T, R: Ord>(
    list: &mut Vec<T>,
    most: usize,
    item: T,
    rank: impl Fn(&T) -> R,
) -> usize {
    if list.len() < most {
        make_room(list);
        list.push(item);
        return list.len() - 1;
    }
    let least = (0..list.len()).min_by_key(|at| rank(&list[*at])).unwrap_or(0);
    list[least] = item;
    least
}
