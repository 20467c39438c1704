//! `x509.log`: certificates, without who showed them.
//!
//! A line is of use only together with the line of `ssl` that names it, which Zeek writes after
//! it. Where both are in one stream (JSON with `_path`), the last [`MAX_CERTIFICATES`] are
//! remembered for that. A file of its own gives nothing: it is not joined with other files.

use std::collections::VecDeque;

use egret_event::{ServerCertificate, SmolStr, Timestamp, clean_name_bytes};
use hashbrown::HashMap;

use super::field::Field;
use super::row::Row;
use crate::logs::entry::Entry;
use crate::logs::record::LineProblem;
use crate::logs::text::printable;

/// Certificates remembered, about 1 KiB each. Zeek writes a handshake's `ssl` line seconds after
/// its certificates at most.
const MAX_CERTIFICATES: usize = 1_024;

/// Longest id that is remembered, in bytes: a SHA-256 in hexadecimal, or a file id of 18.
const MAX_ID_BYTES: usize = 64;

/// Longest subject, issuer and key kept, in bytes.
const MAX_TEXT_BYTES: usize = 256;

/// Names kept of a certificate, as for those seen on the wire.
const MAX_NAMES: usize = 16;

/// The end of time: nothing says that a certificate becomes invalid.
pub(super) const NEVER: Timestamp = Timestamp::from_nanos(i64::MAX);

/// The certificates seen last, by file id or fingerprint.
#[derive(Debug, Default)]
pub(super) struct Certificates {
    by_id: HashMap<Box<[u8]>, ServerCertificate, foldhash::quality::FixedState>,
    oldest_first: VecDeque<Box<[u8]>>,
}

impl Certificates {
    pub(super) fn get(&self, id: &[u8]) -> Option<&ServerCertificate> {
        self.by_id.get(id)
    }

    /// Remembers the certificate of a line, which gives no entry of its own.
    pub(super) fn learn<'a>(&mut self, row: &Row<'_>) -> Result<Entry<'a>, LineProblem> {
        let id = row.text(Field::Fingerprint).or_else(|| row.text(Field::Id));
        let id = id.filter(|id| id.len() <= MAX_ID_BYTES).ok_or(LineProblem::Malformed("id"))?;
        if self.by_id.insert(id.as_ref().into(), certificate(row)).is_none() {
            self.oldest_first.push_back(id.as_ref().into());
        }
        if self.oldest_first.len() > MAX_CERTIFICATES
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.by_id.remove(&oldest);
        }
        Err(LineProblem::Note)
    }
}

fn certificate(row: &Row<'_>) -> ServerCertificate {
    let text = |field| row.text(field).map(|text| printable(&text, MAX_TEXT_BYTES));
    let subject = text(Field::CertSubject).unwrap_or_default();
    let issuer = text(Field::CertIssuer).unwrap_or_default();
    let sha256 = text(Field::Fingerprint).filter(|id| id.len() == MAX_ID_BYTES);
    ServerCertificate {
        sni: None,
        self_signed: subject == issuer,
        subject,
        issuer,
        names: names(row),
        not_before: row.time(Field::CertNotBefore).unwrap_or(Timestamp::MIN),
        not_after: row.time(Field::CertNotAfter).unwrap_or(NEVER),
        key: key(row),
        sha256,
        chain: 0,
        name_matches: None,
    }
}

fn names(row: &Row<'_>) -> Vec<SmolStr> {
    let listed = [row.list(Field::SanDns), row.list(Field::SanIp)];
    listed.iter().flatten().take(MAX_NAMES).map(|name| clean_name_bytes(name)).collect()
}

/// `rsa 2048`, `ec 256`: as for certificates seen on the wire.
fn key(row: &Row<'_>) -> SmolStr {
    let kind = row.text(Field::CertKeyType).unwrap_or_default();
    let kind = if &*kind == b"ecdsa" { SmolStr::new_static("ec") } else { printable(&kind, 32) };
    match row.count(Field::CertKeyLength) {
        Some(bits) if !kind.is_empty() => SmolStr::from(format!("{kind} {bits}")),
        _ => kind,
    }
}
