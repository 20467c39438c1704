//! Runs of letters that a token could be made of: what tells a text worth a closer look from one
//! that is not.

use std::ops::Range;

/// Shortest run that is looked at. The shortest credential with a form of its own is an AWS access
/// key id, which has 20 characters.
pub(super) const LEAST_RUN: usize = 20;

/// Letters, digits, and what encodings in URLs use beside them.
const fn is_of_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'%' | b'=')
}

/// The same as a table: it is asked for every few bytes of every URL.
static OF_TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_of_token(byte as u8);
        byte += 1;
    }
    table
};

/// Whether there is a run of [`LEAST_RUN`] bytes that a token could be made of, with a digit or a
/// capital letter among them: what is drawn at random has some, and words have none. Looks at few bytes of
/// an ordinary text: where the last byte of a window is none, all windows with it are ruled out.
#[inline]
pub(super) fn has_long_run(text: &[u8]) -> bool {
    let mut end = LEAST_RUN;
    while end <= text.len() {
        let window = &text[end - LEAST_RUN..end];
        match window.iter().rposition(|byte| !OF_TOKEN[usize::from(*byte)]) {
            Some(at) => end += at + 1,
            None if window.iter().any(is_of_no_word) => return true,
            None => end += 1,
        }
    }
    false
}

/// Whether a byte is none that words are written with, or joined by.
fn is_of_no_word(byte: &u8) -> bool {
    !byte.is_ascii_lowercase() && !matches!(byte, b'-' | b'_')
}

/// The longest parts of `text` whose bytes are all in a class, of `least` bytes or more.
pub(super) fn runs(
    text: &[u8],
    least: usize,
    is_of_class: impl Fn(u8) -> bool,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            let rest = &text[at..];
            let start = at + rest.iter().position(|byte| is_of_class(*byte))?;
            let rest = &text[start..];
            let length = rest.iter().position(|byte| !is_of_class(*byte)).unwrap_or(rest.len());
            at = start + length;
            if length >= least {
                return Some(start..at);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_is_found_wherever_it_stands() {
        assert!(!has_long_run(b""));
        assert!(!has_long_run(b"/how-to-do-anything_at_all-in-a-week"));
        assert!(!has_long_run(b"/simple/requests/requests.whl?name=a&b=c"));
        for before in 0..45 {
            let mut text = "/ab".repeat(before).into_bytes();
            text.push(b'/');
            text.extend([b'7'; LEAST_RUN - 1]);
            text.extend(b"/abc/def");
            assert!(!has_long_run(&text), "{before}");
            let at = text.len() - 9;
            text.insert(at, b'x');
            assert!(has_long_run(&text), "{before}");
        }
    }

    #[test]
    fn runs_are_as_long_as_they_can_be() {
        let found: Vec<_> = runs(b"ab--cdefg-hij", 3, |b| b.is_ascii_lowercase()).collect();
        assert_eq!(found, [4..9, 10..13]);
    }
}
