//! `quic.log`: QUIC connections, by what their first packets say. `version` is QUIC's; the TLS
//! inside is always 1.3 (RFC 9001).

use egret_event::{SmolStr, TlsCarrier, TlsHello, clean_name_bytes};

use super::field::Field;
use super::row::Row;
use super::ssl::word;
use crate::logs::entry::Entry;
use crate::logs::record::LineProblem;

const TLS_1_3: u16 = 0x0304;

pub(super) fn entry<'a>(row: &Row<'a>) -> Result<Entry<'a>, LineProblem> {
    let ends = row.ends()?;
    let hello = TlsHello {
        sni: row.text(Field::ServerName).map(|name| clean_name_bytes(&name)),
        alpn: word(row, Field::ClientProtocol),
        ja4: word(row, Field::Ja4).unwrap_or(SmolStr::new_static("")),
        version: TLS_1_3,
        carrier: TlsCarrier::Quic,
        ech: false,
    };
    Ok(Entry::Tls(ends, Box::new(hello)))
}
