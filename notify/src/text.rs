//! Text from the wire, made harmless for terminals and line-based receivers.

/// Marks where a text was cut.
const CUT: char = '…';

/// At most `max_bytes` of `text`, each character as `escape` writes it. What does not fit is
/// replaced by `…`; no escape sequence is cut in half.
pub(crate) fn bounded(text: &str, max_bytes: usize, escape: impl Fn(char, &mut String)) -> String {
    let mut out = String::with_capacity(text.len().min(max_bytes));
    let mut room_for_mark = 0;
    for character in text.chars() {
        escape(character, &mut out);
        if out.len() > max_bytes {
            out.truncate(room_for_mark);
            if room_for_mark + CUT.len_utf8() <= max_bytes {
                out.push(CUT);
            }
            break;
        }
        if out.len() + CUT.len_utf8() <= max_bytes {
            room_for_mark = out.len();
        }
    }
    out
}

/// Writes a character so that it can be seen: a line break becomes `\n`, an escape `\u{1b}`.
pub(crate) fn visible(character: char, out: &mut String) {
    if is_unseen(character) {
        out.extend(character.escape_default());
    } else {
        out.push(character);
    }
}

/// Whether a character controls a terminal, breaks a line, hides itself or reorders its
/// neighbours (Unicode Technical Report 36, section 2.5, and the tag characters).
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        let hostile = "a\r\nb\u{1b}[31m\u{202e}c\u{85}\u{2028}d";
        assert_eq!(bounded(hostile, 1000, visible), r"a\r\nb\u{1b}[31m\u{202e}c\u{85}\u{2028}d");
        assert_eq!(bounded("Zürich 日本 <script>", 1000, visible), "Zürich 日本 <script>");
    }

    #[test]
    fn a_cut_falls_between_characters_and_is_marked() {
        assert_eq!(bounded("abcdef", 6, visible), "abcdef");
        assert_eq!(bounded("abcdefg", 6, visible), "abc…");
        assert_eq!(bounded("日本語", 7, visible), "日…");
        assert_eq!(bounded("a\n\n\n", 6, visible), r"a\n…");
        assert_eq!(bounded("abcdef", 2, visible), "");
    }
}
