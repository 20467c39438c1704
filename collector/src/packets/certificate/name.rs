//! Distinguished names as text (RFC 4514).

use egret_event::SmolStr;
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// Longest name that is kept, in bytes.
const MAX_BYTES: usize = 256;

/// Short words for the kinds of attributes: those of RFC 4514, section 3, and three more that are
/// everywhere.
const WORDS: [(&str, &str); 12] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.6", "C"),
    ("2.5.4.9", "STREET"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
    ("2.5.4.5", "serialNumber"),
    ("2.5.4.12", "title"),
];

/// Writes a name, the last part first, cut to 256 bytes. What is no plain letter, digit or
/// punctuation is escaped.
pub(super) fn written(name: &X509Name<'_>) -> SmolStr {
    let mut text = String::new();
    let parts: Vec<_> = name.iter_rdn().collect();
    for (index, part) in parts.into_iter().rev().enumerate() {
        for (place, attribute) in part.iter().enumerate() {
            match (index, place) {
                (0, 0) => {}
                (_, 0) => text.push(','),
                _ => text.push('+'),
            }
            push_attribute(&mut text, attribute);
            if text.len() > MAX_BYTES {
                while text.len() > MAX_BYTES {
                    text.pop();
                }
                return text.into();
            }
        }
    }
    text.into()
}

fn push_attribute(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let kind = attribute.attr_type().to_id_string();
    match WORDS.iter().find(|(id, _)| *id == kind) {
        Some((_, word)) => text.push_str(word),
        None => text.push_str(&kind),
    }
    text.push('=');
    match attribute.as_str() {
        Ok(value) => push_value(text, value),
        Err(_) => push_value(text, &String::from_utf8_lossy(attribute.as_slice())),
    }
}

fn push_value(text: &mut String, value: &str) {
    for (at, letter) in value.char_indices() {
        if text.len() > MAX_BYTES {
            return;
        }
        let is_outer_space = letter == ' ' && (at == 0 || at + 1 == value.len());
        if matches!(letter, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || is_outer_space
            || (letter == '#' && at == 0)
        {
            text.push('\\');
            text.push(letter);
        } else if letter == ' ' || letter.is_ascii_graphic() || letter.is_alphanumeric() {
            text.push(letter);
        } else {
            // Control characters, and what looks like something else, as their bytes.
            for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
                text.push('\\');
                for digit in [byte >> 4, byte & 15] {
                    text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
                }
            }
        }
    }
}
