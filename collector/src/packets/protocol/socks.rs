//! The request of a SOCKS 5 client: where its bytes are to go (RFC 1928, section 4).

use std::net::IpAddr;

use super::u16_at;

/// Where a SOCKS server is to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocksTarget<'a> {
    /// The host: a name, or an address.
    pub host: SocksHost<'a>,
    /// The port.
    pub port: u16,
}

/// A host, as a SOCKS client names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocksHost<'a> {
    /// By name, as sent.
    Name(&'a [u8]),
    /// By address.
    Address(IpAddr),
}

/// Reads a request to connect. `None`: `bytes` are none, or not all of one.
pub fn socks_request(bytes: &[u8]) -> Option<SocksTarget<'_>> {
    let [5, 1, 0, kind, rest @ ..] = bytes else { return None };
    let (host, rest) = match kind {
        1 => {
            let (address, rest) = rest.split_first_chunk::<4>()?;
            (SocksHost::Address(IpAddr::from(*address)), rest)
        }
        3 => {
            let (length, rest) = rest.split_first()?;
            let (name, rest) = rest.split_at_checked(usize::from(*length))?;
            (SocksHost::Name(name), rest)
        }
        4 => {
            let (address, rest) = rest.split_first_chunk::<16>()?;
            (SocksHost::Address(IpAddr::from(*address).to_canonical()), rest)
        }
        _ => return None,
    };
    let port = u16::try_from(u16_at(rest, 0)?).ok()?;
    (host != SocksHost::Name(b"")).then_some(SocksTarget { host, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_where_it_goes() {
        let named = socks_request(b"\x05\x01\0\x03\x09a.example\x01\xbb").unwrap();
        assert_eq!(named, SocksTarget { host: SocksHost::Name(b"a.example"), port: 443 });
        let address = socks_request(b"\x05\x01\0\x01\xcb\0\x71\x09\0\x50").unwrap();
        let host = SocksHost::Address([203, 0, 113, 9].into());
        assert_eq!(address, SocksTarget { host, port: 80 });
        let six = [&b"\x05\x01\0\x04"[..], &[0x20; 16], &[0, 80]].concat();
        assert!(socks_request(&six).is_some());
    }

    #[test]
    fn what_is_cut_or_binds_is_no_request_to_connect() {
        let whole = b"\x05\x01\0\x03\x09a.example\x01\xbb";
        for length in 0..whole.len() {
            assert_eq!(socks_request(&whole[..length]), None, "{length} bytes");
        }
        assert_eq!(socks_request(b"\x05\x02\0\x01\xcb\0\x71\x09\0\x50"), None);
        assert_eq!(socks_request(b"\x05\x01\0\x03\0\0\x50"), None);
    }
}
