//! Values under names that say secret, and environments: `password=…`, `PATH=…&HOME=…`.
//!
//! A name alone says little, since ordinary URLs are full of tokens and keys: what is found here only
//! adds to other evidence, unless somebody took the trouble to encode it.

use egret_event::SensitiveKind;

/// Something under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    /// What kind of name it is.
    pub(super) name: &'static str,
    pub(super) kind: SensitiveKind,
}

/// Fewest letters of a password, and of a key or token, that are believed. Egret's own choice.
const LEAST_PASSWORD: usize = 8;
const LEAST_KEY: usize = 16;

/// Longest name that is looked at.
const LONGEST_NAME: usize = 48;

/// Least information of a key or token, in bits: half of the 128 that keys have at the least. Egret's
/// own choice.
const LEAST_BITS: f64 = 64.0;

/// Environment variables that every process has.
const ENVIRONMENT: [&[u8]; 12] = [
    b"PATH",
    b"HOME",
    b"USER",
    b"PWD",
    b"SHELL",
    b"HOSTNAME",
    b"LANG",
    b"TERM",
    b"SHLVL",
    b"LOGNAME",
    b"OLDPWD",
    b"LC_ALL",
];

/// How many of them make an environment. Egret's own choice.
const LEAST_OF_ENVIRONMENT: u32 = 3;

/// A secret by the name of its variable, where the value was cut off.
const CUT_NAMES: [&[u8]; 2] = [b"ACCESS_KEY", b"SECRET_KEY"];

const PASSWORD: &str = "password";
const KEY: &str = "key or token";
pub(super) const AWS_SECRET: &str = "AWS secret access key";

/// Ends of names without `_`, `-` and `.`, in small letters, and what they say.
const ENDS: [(&[u8], &str); 15] = [
    (b"password", PASSWORD),
    (b"passwd", PASSWORD),
    (b"passphrase", PASSWORD),
    (b"secretaccesskey", AWS_SECRET),
    (b"secret", KEY),
    (b"secretkey", KEY),
    (b"apikey", KEY),
    (b"apitoken", KEY),
    (b"accesskey", KEY),
    (b"accountkey", KEY),
    (b"privatekey", KEY),
    (b"authtoken", KEY),
    (b"accesstoken", KEY),
    (b"refreshtoken", KEY),
    (b"token", KEY),
];

/// Parts of names that hold no secret though they say token.
const NO_SECRETS: [&[u8]; 10] = [
    b"csrf",
    b"xsrf",
    b"page",
    b"next",
    b"continuation",
    b"sync",
    b"captcha",
    b"public",
    b"cursor",
    b"hint",
];

/// Shows all that is found in `text` to `take`. `is_decoded`: the text had been encoded.
pub(super) fn look(text: &[u8], is_decoded: bool, mut take: impl FnMut(Named)) {
    let mut variables = 0_u32;
    for at in memchr::memchr2_iter(b'=', b':', text) {
        let name = name_before(&text[..at]);
        if name.is_empty() {
            continue;
        }
        if text[at] == b'='
            && let Some(place) = ENVIRONMENT.iter().position(|known| *known == name)
        {
            variables |= 1 << place;
        } else if let Some(named) = judge(name, &text[at + 1..], is_decoded) {
            take(named);
        }
    }
    if variables.count_ones() >= LEAST_OF_ENVIRONMENT {
        take(Named { name: "environment variables", kind: SensitiveKind::Environment });
    }
    if has_password_in_url(text) {
        take(Named { name: "password in a URL", kind: kind_of(is_decoded) });
    }
    if is_decoded && CUT_NAMES.iter().any(|name| memchr::memmem::find(text, name).is_some()) {
        take(Named { name: "name of a secret", kind: SensitiveKind::LikelyCredential });
    }
}

/// What was encoded was not meant to be seen.
const fn kind_of(is_decoded: bool) -> SensitiveKind {
    if is_decoded { SensitiveKind::LikelyCredential } else { SensitiveKind::NamedValue }
}

fn judge(name: &[u8], rest: &[u8], is_decoded: bool) -> Option<Named> {
    let said = said_by(name)?;
    let value = value_at(rest);
    let is_aws = said == AWS_SECRET && value.len() == 40;
    let is_secret = match said {
        PASSWORD => value.len() >= LEAST_PASSWORD && kinds_of_letters(value) >= 2,
        _ => value.len() >= LEAST_KEY && kinds_of_letters(value) >= 2 && bits(value) >= LEAST_BITS,
    };
    if !is_secret || is_placeholder(value) {
        return None;
    }
    // Programs call their own tokens by small letters; variables of an environment are capitals.
    let is_variable = name.contains(&b'_') && !name.iter().any(u8::is_ascii_lowercase);
    let kind =
        if is_aws { SensitiveKind::LikelyCredential } else { kind_of(is_decoded && is_variable) };
    Some(Named { name: said, kind })
}

/// The name that ends `text`, perhaps in quotes.
fn name_before(text: &[u8]) -> &[u8] {
    let text = match text {
        [rest @ .., b'"' | b'\''] => rest,
        _ => text,
    };
    let is_of_name = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let window = &text[text.len().saturating_sub(LONGEST_NAME)..];
    let start = window.iter().rposition(|byte| !is_of_name(byte)).map_or(0, |at| at + 1);
    &window[start..]
}

/// What a name says of its value, if it says secret.
fn said_by(name: &[u8]) -> Option<&'static str> {
    // Most names end in another letter, and cost no more than this.
    if !matches!(name.last()?.to_ascii_lowercase(), b'd' | b'e' | b'y' | b't' | b'n') {
        return None;
    }
    let mut plain = [0; LONGEST_NAME];
    let mut length = 0;
    for byte in name.iter().filter(|byte| byte.is_ascii_alphanumeric()) {
        plain[length] = byte.to_ascii_lowercase();
        length += 1;
    }
    let plain = &plain[..length];
    let (_, said) = ENDS.iter().find(|(end, _)| plain.ends_with(end))?;
    let is_other = NO_SECRETS.iter().any(|part| memchr::memmem::find(plain, part).is_some());
    (!is_other).then_some(*said)
}

fn value_at(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    let rest = match rest {
        [b'"' | b'\'', rest @ ..] => rest,
        _ => rest,
    };
    let ends = |b: &u8| matches!(b, b'&' | b';' | b'"' | b'\'' | b',' | b'}' | 0..=b' ' | 0x7f..);
    &rest[..rest.iter().position(ends).unwrap_or(rest.len())]
}

/// Whether a value only stands for one that is put in later.
fn is_placeholder(value: &[u8]) -> bool {
    matches!(value, [b'$' | b'{' | b'<' | b'*' | b'[', ..])
        || value.starts_with(b"%7B")
        || !super::checks::looks_random(value)
}

/// Of small letters, capital letters, digits and others, how many kinds there are.
fn kinds_of_letters(value: &[u8]) -> usize {
    let kinds: [fn(&u8) -> bool; 4] =
        [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit, |byte| {
            !byte.is_ascii_alphanumeric()
        }];
    kinds.into_iter().filter(|kind| value.iter().any(kind)).count()
}

/// The information of a value by its own letters, in bits (Shannon).
fn bits(value: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    value.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
    let length = value.len() as f64;
    let of = |count: &u32| f64::from(*count) * (length / f64::from(*count)).log2();
    counts.iter().filter(|count| **count > 0).map(of).sum()
}

/// `://USER:PASSWORD@`.
fn has_password_in_url(text: &[u8]) -> bool {
    let starts = memchr::memmem::find_iter(text, b"://");
    starts.map(|at| &text[at + 3..]).any(|rest| {
        let end = rest.iter().position(|b| matches!(b, b'/' | b'?' | b'&' | b'"' | 0..=b' '));
        let authority = &rest[..end.unwrap_or(rest.len())];
        let user = memchr::memrchr(b'@', authority).map(|at| &authority[..at]);
        let password = user.and_then(|user| memchr::memchr(b':', user).map(|at| &user[at + 1..]));
        password
            .is_some_and(|password| password.len() >= LEAST_PASSWORD && !is_placeholder(password))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, is_decoded: bool) -> Vec<Named> {
        let mut found = Vec::new();
        look(text.as_bytes(), is_decoded, |named| found.push(named));
        found
    }

    #[test]
    fn a_name_that_says_secret_needs_a_value_that_is_no_word() {
        let weak = |name| Named { name, kind: SensitiveKind::NamedValue };
        for (text, expected) in [
            ("user=a&password=Tr0ub4dor&x=1", Some(PASSWORD)),
            ("{\"db_password\": \"kq8-Zz1-ppQ\"}", Some(PASSWORD)),
            ("api_key=9f86d081884c7d659a2feaa0c55ad015", Some(KEY)),
            ("X-Auth-Token: 9f86d081884c7d659a2feaa0c55ad015", Some(KEY)),
            ("password=forgotten", None),
            ("password=${PASSWORD_OF_DB1}", None),
            ("api_key=your-api-key-here", None),
            ("page_token=CAUQAAZq3vR8sLk2Wn5Yt7Hc9", None),
            ("csrf_token=9f86d081884c7d659a2feaa0c55ad015", None),
            ("q=password", None),
            ("monkey=9f86d081884c7d659a2feaa0c55ad015", None),
        ] {
            assert_eq!(found(text, false), Vec::from_iter(expected.map(weak)), "{text}");
        }
    }

    #[test]
    fn an_environment_is_one_by_three_of_its_variables() {
        let environment = Named { name: "environment variables", kind: SensitiveKind::Environment };
        assert_eq!(found("PATH=/usr/bin&HOME=/root&LANG=C.UTF-8", false), [environment]);
        assert_eq!(found("PATH=/usr/bin\0HOME=/root\0TERM=xterm", true), [environment]);
        assert_eq!(found("PATH=/usr/bin&HOME=/root&HOME=/x", false), []);
    }

    #[test]
    fn a_variable_in_capitals_counts_for_more_where_it_was_encoded() {
        let text = "DEPLOY_API_KEY=9f86d081884c7d659a2feaa0c55ad015";
        assert_eq!(found(text, false)[0].kind, SensitiveKind::NamedValue);
        assert_eq!(found(text, true)[0].kind, SensitiveKind::LikelyCredential);
        let url = "DATABASE_URL=postgres://app:9f86d081884c@db:5432/app";
        assert_eq!(found(url, true)[0].name, "password in a URL");
    }
}
