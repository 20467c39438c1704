//! Names in DNS messages, with compression pointers (RFC 1035, section 4.1.4).

use egret_event::{SmolStr, clean_labels};

use super::u16_at;

/// Most labels in a name: 255 bytes hold no more.
const MAX_LABELS: usize = 127;

/// Most compression pointers followed in one name. Writers use one or two; a loop would not end.
const MAX_POINTERS: usize = 16;

/// Reads a name at `at` and moves `at` behind it. The root is an empty name.
pub(super) fn read(bytes: &[u8], at: &mut usize) -> Option<SmolStr> {
    let mut labels = [&[][..]; MAX_LABELS];
    let mut count = 0;
    let mut position = *at;
    let mut pointers = 0;
    loop {
        match Label::at(bytes, position)? {
            Label::Text(text) => {
                *labels.get_mut(count)? = text;
                count += 1;
                position += 1 + text.len();
            }
            Label::Pointer(target) => {
                if pointers == 0 {
                    *at = position + 2;
                }
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
                position = target;
            }
            Label::Root => break,
        }
    }
    if pointers == 0 {
        *at = position + 1;
    }
    Some(clean_labels(labels[..count].iter().copied()))
}

/// Moves `at` behind a name without reading it.
pub(super) fn skip(bytes: &[u8], at: &mut usize) -> Option<()> {
    loop {
        match Label::at(bytes, *at)? {
            Label::Text(text) => *at += 1 + text.len(),
            Label::Pointer(_) => {
                *at += 2;
                return Some(());
            }
            Label::Root => {
                *at += 1;
                return Some(());
            }
        }
    }
}

enum Label<'a> {
    Text(&'a [u8]),
    Pointer(usize),
    Root,
}

impl<'a> Label<'a> {
    fn at(bytes: &'a [u8], position: usize) -> Option<Self> {
        match *bytes.get(position)? {
            0 => Some(Self::Root),
            length @ 1..=63 => {
                let start = position + 1;
                Some(Self::Text(bytes.get(start..start + usize::from(length))?))
            }
            0xc0.. => Some(Self::Pointer(usize::from(u16_at(bytes, position)? & 0x3fff))),
            // Extended label types were given up (RFC 6891, section 5).
            64..0xc0 => None,
        }
    }
}
