//! What tells a credential from something that only looks like one.

use egret_event::SensitiveKind;

use super::decode::{ALPHABETS, Alphabet};
use super::patterns::AWS_KEY_ID;

/// How the letters behind a prefix are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// There is nothing to check but that they look drawn at random.
    None,
    /// Thirty letters, then their CRC-32 in six letters of base 62.
    Crc32,
    /// A header of PEM (RFC 7468), and a key behind it.
    PrivateKey,
    /// A macaroon that says where it is for.
    PyPi,
    /// The letters that OpenAI puts into the middle, or the length of a project's key.
    OpenAi,
    /// The length and the last letters of an Anthropic key.
    Anthropic,
    /// A web token of a Kubernetes service account.
    KubernetesToken,
    /// A web token (RFC 7519): its first part decodes to a header.
    WebToken,
}

/// What a check comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) kind: SensitiveKind,
    /// How much of the text belongs to it.
    pub(super) length: usize,
}

/// Checks `all`, of which `letters` are what stands behind the prefix. `kind` is what it is if it
/// passes. `None`: it is nothing of the sort.
pub(super) fn check(
    check: Check,
    (all, letters): (&[u8], &[u8]),
    kind: SensitiveKind,
) -> Option<Passed> {
    let passed = |kind| Some(Passed { kind, length: all.len() });
    match check {
        Check::PrivateKey => {
            let length = private_key_length(letters)?;
            return Some(Passed { kind, length: all.len() - letters.len() + length });
        }
        Check::WebToken => return web_token(all).and_then(|_| passed(kind)),
        Check::KubernetesToken => {
            let payload = web_token(all)?;
            return memchr::memmem::find(&payload, b"kubernetes").and_then(|_| passed(kind));
        }
        _ if !looks_random(letters) => return None,
        Check::None => {}
        Check::Crc32 if !ends_in_crc32(letters) => return passed(SensitiveKind::NamedValue),
        Check::Crc32 => {}
        Check::PyPi => {
            let macaroon = base64().decode(&letters[..letters.len().min(40)]);
            // The prefix took the first three letters: what they stood for is told by the rest.
            let start = base64().decode(&[b"AgE", &letters[..letters.len().min(37)]].concat());
            let is_for = |bytes: &[u8]| memchr::memmem::find(bytes, b"pypi.org").is_some();
            if !is_for(&start) && !is_for(&macaroon) {
                return None;
            }
        }
        Check::OpenAi => return open_ai(letters).and_then(passed),
        Check::Anthropic => {
            let is_whole = letters.starts_with(b"api") && letters.ends_with(b"AA");
            return passed(if is_whole { kind } else { SensitiveKind::LikelyCredential });
        }
    }
    passed(kind)
}

fn base64() -> &'static Alphabet {
    &ALPHABETS[1]
}

/// Whether letters look drawn at random: not a word, not the same few again and again.
pub(super) fn looks_random(letters: &[u8]) -> bool {
    let mut seen = [false; 256];
    letters.iter().for_each(|letter| seen[usize::from(*letter)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    let is_example = memchr::memmem::find(letters, b"EXAMPLE").is_some();
    distinct >= (letters.len() / 3).min(8) && !is_example
}

/// Whether the last six letters are the CRC-32 of those before, in base 62 (digits, capital letters,
/// small letters).
fn ends_in_crc32(letters: &[u8]) -> bool {
    let Some((random, sum)) = letters.split_last_chunk::<6>() else { return false };
    *sum == crc32_letters(random)
}

/// The CRC-32 of `bytes` in six letters of base 62.
pub(super) fn crc32_letters(bytes: &[u8]) -> [u8; 6] {
    const LETTERS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let mut left = crc.sum() as usize;
    let mut letters = [b'0'; 6];
    for letter in letters.iter_mut().rev() {
        *letter = LETTERS[left % 62];
        left /= 62;
    }
    letters
}

/// How far the header of a private key and the beginning of the key itself go, if that is what stands
/// behind `-----BEGIN`. In a query, plus signs or their codes stand for spaces.
fn private_key_length(rest: &[u8]) -> Option<usize> {
    /// Longest header, in bytes, and the least of a key that must follow.
    const LONGEST: usize = 60;
    const LEAST_KEY: usize = 24;
    let head = &rest[..rest.len().min(LONGEST)];
    let end = memchr::memmem::find(head, b"-----")?;
    let is_private = memchr::memmem::find(&head[..end], b"PRIVATE").is_some();
    let key = &rest[end + 5..];
    let is_of_key =
        |byte: &&u8| base64().has(**byte) || matches!(**byte, b'\r' | b'\n' | b' ' | b'%' | b'\\');
    let letters = key.iter().take(4 * LEAST_KEY).take_while(is_of_key).count();
    (is_private && letters >= LEAST_KEY).then_some(end + 5 + letters)
}

/// The payload of a web token, if it is one.
fn web_token(text: &[u8]) -> Option<Vec<u8>> {
    let mut parts = text.split(|byte| *byte == b'.');
    let header = base64().decode(parts.next()?);
    let payload = base64().decode(parts.next()?);
    let is_signed = parts.next().is_some_and(|signature| signature.len() >= 16);
    let is_header = header.starts_with(b"{") && memchr::memmem::find(&header, b"\"alg\"").is_some();
    (is_header && is_signed && payload.starts_with(b"{")).then_some(payload)
}

fn open_ai(letters: &[u8]) -> Option<SensitiveKind> {
    let is_marked = memchr::memmem::find(letters, b"T3BlbkFJ").is_some();
    let is_of_project = letters.len() >= 100
        && [&b"proj-"[..], b"svcacct-", b"admin-"].iter().any(|kind| letters.starts_with(kind));
    match (is_marked, is_of_project) {
        (true, _) => Some(SensitiveKind::Credential),
        (false, true) => Some(SensitiveKind::LikelyCredential),
        (false, false) => None,
    }
}

/// Whether something stands where it does no harm: an AWS access key id in a signature says who
/// signed, and is of no use without the key.
pub(super) fn is_in_its_place(name: &str, before: &[u8]) -> bool {
    /// Signature version 4 in URLs and headers, and version 2.
    const SIGNED: [&[u8]; 3] = [b"Credential=", b"AWSAccessKeyId=", b"GoogleAccessId="];
    let ends_with = |end: &[u8]| {
        before.len() >= end.len() && before[before.len() - end.len()..].eq_ignore_ascii_case(end)
    };
    name == AWS_KEY_ID && SIGNED.into_iter().any(ends_with)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_the_letters_before_it() {
        let random = b"abcdefghijklmnopqrstuvwxyz0123";
        let token = [&random[..], &crc32_letters(random)].concat();
        assert!(ends_in_crc32(&token));
        let mut other = token.clone();
        other[3] = b'X';
        assert!(!ends_in_crc32(&other));
        assert!(!ends_in_crc32(b"abc"));
    }

    #[test]
    fn a_private_key_needs_a_key_behind_its_header() {
        let pem = b" RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn/ygWyF8Pb";
        assert!(private_key_length(pem).is_some());
        assert_eq!(private_key_length(b" RSA PRIVATE KEY-----\n..."), None);
        assert_eq!(private_key_length(b" CERTIFICATE-----\nMIIEpAIBAAKCAQEA0Z3VS5JJcds3xfn"), None);
    }
}
