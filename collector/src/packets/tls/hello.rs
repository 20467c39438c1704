//! What a ClientHello holds, whatever carries it.

use egret_event::{TlsCarrier, TlsHello, clean_name_bytes};

use super::bytes::{MAX_ITEMS, Reader, is_grease};
use super::ja4;

/// Extension types.
pub(super) const SERVER_NAME: u16 = 0;
pub(super) const ALPN: u16 = 16;
const SIGNATURE_ALGORITHMS: u16 = 13;
const SUPPORTED_VERSIONS: u16 = 43;
const ENCRYPTED_HELLO: u16 = 0xfe0d;

/// Browsers send about twenty.
const USUAL_EXTENSIONS: usize = 24;

/// The encrypted hello that is sent is the outer one (RFC 9849, section 5).
const OUTER: u8 = 0;

/// What a ClientHello holds, in the order in which it was sent, without GREASE.
#[derive(Default)]
pub(super) struct Parts<'a> {
    pub(super) version: u16,
    pub(super) ciphers: Vec<u16>,
    pub(super) extensions: Vec<u16>,
    pub(super) signature_algorithms: Vec<u16>,
    server_name: Option<&'a [u8]>,
    pub(super) protocol: Option<&'a [u8]>,
    has_encrypted_hello: bool,
}

/// Reads the body of a ClientHello message.
pub(in crate::packets) fn read(body: &[u8], carrier: TlsCarrier) -> Option<Box<TlsHello>> {
    Parts::read(body, carrier).map(|parts| Box::new(parts.hello(carrier)))
}

impl<'a> Parts<'a> {
    fn read(body: &'a [u8], carrier: TlsCarrier) -> Option<Self> {
        let mut body = Reader(body);
        let mut parts = Self { version: body.u16()?, ..Self::default() };
        body.take(32)?;
        body.short_block()?;
        if carrier == TlsCarrier::Dtls {
            // The cookie of a HelloVerifyRequest (RFC 6347, section 4.2.1).
            body.short_block()?;
        }
        parts.ciphers = body.block()?.numbers();
        body.short_block()?;
        // SSL 3.0 clients send no extensions at all.
        let mut extensions = body.block().unwrap_or(Reader(&[]));
        parts.extensions.reserve(USUAL_EXTENSIONS);
        while let Some(kind) = extensions.u16() {
            let content = extensions.block()?;
            if !is_grease(kind) && parts.extensions.len() < MAX_ITEMS {
                parts.extensions.push(kind);
                // What one extension holds may be damaged without spoiling the others.
                let _ = parts.extension(kind, content, carrier);
            }
        }
        Some(parts)
    }

    /// The hello of a client that offers `ciphers` at `version`, and no extensions.
    pub(super) fn bare(version: u16, ciphers: Vec<u16>) -> Self {
        Self { version, ciphers, ..Self::default() }
    }

    fn extension(&mut self, kind: u16, mut content: Reader<'a>, carrier: TlsCarrier) -> Option<()> {
        match kind {
            SERVER_NAME => {
                let mut list = content.block()?;
                let is_host_name = list.u8()? == 0;
                let name = list.block()?.0;
                self.server_name = (is_host_name && !name.is_empty()).then_some(name);
            }
            SIGNATURE_ALGORITHMS => self.signature_algorithms = content.block()?.numbers(),
            ALPN => self.protocol = Some(content.block()?.short_block()?.0),
            SUPPORTED_VERSIONS => {
                let offered = content.short_block()?.numbers().into_iter();
                // Versions of DTLS count down.
                let highest =
                    if carrier == TlsCarrier::Dtls { offered.min() } else { offered.max() };
                self.version = highest.unwrap_or(self.version);
            }
            ENCRYPTED_HELLO => self.has_encrypted_hello = content.u8()? == OUTER,
            _ => {}
        }
        Some(())
    }

    pub(super) fn has(&self, extension: u16) -> bool {
        self.extensions.contains(&extension)
    }

    pub(super) fn hello(self, carrier: TlsCarrier) -> TlsHello {
        TlsHello {
            sni: self.server_name.map(clean_name_bytes),
            alpn: self.protocol.filter(|p| !p.is_empty()).map(clean_name_bytes),
            version: self.version,
            carrier,
            ech: self.has_encrypted_hello,
            ja4: ja4::fingerprint(self, carrier),
        }
    }
}
