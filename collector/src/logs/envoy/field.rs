//! The fields of Envoy's log that are read, by their keys.

use super::{Entry, Number, Text};
use crate::logs::digits::number;
use crate::logs::flat::{Flat, Value};

/// Where the value of a field goes.
pub(super) enum Slot<'s, 'a> {
    Text(&'s mut Text<'a>),
    Number(&'s mut Number),
    /// The user agent, and whether it still has its escapes.
    Agent(&'s mut Text<'a>, &'s mut bool),
}

impl<'a> Slot<'_, 'a> {
    /// Takes the next value of an object. `None`: it is left to the general reader.
    #[inline]
    pub(super) fn fill(self, object: &mut Flat<'a>) -> Option<()> {
        match self {
            Self::Number(slot) => *slot = Number(count(object)?),
            Self::Text(slot) => *slot = Text::of(object.plain_text()?),
            // The one text that has escapes again and again, and so is not decoded each time.
            Self::Agent(slot, is_escaped) => {
                let value = object.value()?;
                *is_escaped = matches!(value, Value::Escaped(_));
                *slot = match value {
                    Value::Text(text) | Value::Escaped(text) => Text::of(text),
                    Value::Null => Text(None),
                    Value::Number(_) => return None,
                };
            }
        }
        Some(())
    }
}

impl<'a> Entry<'a> {
    /// Where the value goes whose key `text` begins with, and the length of that with its closing
    /// mark and the colon. `None`: the field is not read.
    ///
    /// A byte or two tell which key it can only be, and that is compared as a constant: this is
    /// several times as fast as to look for the closing mark first.
    #[inline]
    pub(super) fn slot(&mut self, text: &[u8]) -> Option<(Slot<'_, 'a>, usize)> {
        use Slot::{Agent, Number, Text};
        let has = |at: usize, letter| text.get(at) == Some(&letter);
        match *text.first()? {
            b'a' => key(text, b"authority\":", Text(&mut self.authority)),
            b'b' if has(6, b'r') => {
                key(text, b"bytes_received\":", Number(&mut self.bytes_received))
            }
            b'b' => key(text, b"bytes_sent\":", Number(&mut self.bytes_sent)),
            b'c' => {
                let details = &mut self.connection_termination_details;
                key(text, b"connection_termination_details\":", Text(details))
            }
            b'd' if has(1, b'u') => key(text, b"duration\":", Number(&mut self.duration)),
            b'd' if has(11, b'd') => {
                let direct = &mut self.downstream_direct_remote_address;
                key(text, b"downstream_direct_remote_address\":", Text(direct))
            }
            b'd' => {
                let remote = &mut self.downstream_remote_address;
                key(text, b"downstream_remote_address\":", Text(remote))
            }
            b'm' => key(text, b"method\":", Text(&mut self.method)),
            b'p' if has(1, b'a') => key(text, b"path\":", Text(&mut self.path)),
            b'r' if has(2, b'q') => {
                key(text, b"requested_server_name\":", Text(&mut self.requested_server_name))
            }
            b'r' if has(9, b'f') => key(text, b"response_flags\":", Text(&mut self.response_flags)),
            b'r' if has(13, b'_') => {
                key(text, b"response_code_details\":", Text(&mut self.response_code_details))
            }
            b'r' => key(text, b"response_code\":", Number(&mut self.response_code)),
            b's' => key(text, b"start_time\":", Text(&mut self.start_time)),
            b'u' if has(9, b'h') => key(text, b"upstream_host\":", Text(&mut self.upstream_host)),
            b'u' if has(1, b'p') => {
                key(text, b"upstream_cluster\":", Text(&mut self.upstream_cluster))
            }
            b'u' if has(4, b'_') => {
                let agent = Agent(&mut self.user_agent, &mut self.is_agent_escaped);
                key(text, b"user_agent\":", agent)
            }
            b'u' => key(text, b"user\":", Text(&mut self.user)),
            b'x' => key(text, b"x_forwarded_for\":", Text(&mut self.x_forwarded_for)),
            _ => None,
        }
    }
}

/// The next value as a number, also where it is written as text.
#[inline]
fn count(object: &mut Flat<'_>) -> Option<Option<u64>> {
    if object.text().first().is_some_and(u8::is_ascii_digit) {
        return object.number().map(Some);
    }
    Some(match object.value()? {
        Value::Text(text) => number(text),
        Value::Number(count) => Some(count),
        Value::Escaped(_) | Value::Null => None,
    })
}

#[inline]
fn key<const N: usize, T>(text: &[u8], key: &[u8; N], slot: T) -> Option<(T, usize)> {
    text.starts_with(key).then_some((slot, N))
}
