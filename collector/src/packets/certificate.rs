//! X.509 certificates: who a server says it is.
//!
//! Owns what is kept of a certificate. Nothing is verified: whether a signature holds says little
//! about where data goes, and anybody can show anybody's certificate in an answer that is not
//! meant for a real client.

mod name;

use std::net::IpAddr;

use egret_event::{ServerCertificate, SmolStr, Timestamp, clean_name_bytes};
use sha2::{Digest, Sha256};
use smol_str::{SmolStrBuilder, format_smolstr};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_SIG_ED448, OID_SIG_ED25519};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// Most names kept of a certificate.
const MAX_NAMES: usize = 16;

/// Reads a certificate in DER that a server showed when `sni` was asked for, in a chain of `chain`
/// certificates. `None`: it is none.
pub fn read(der: &[u8], sni: Option<&SmolStr>, chain: u8) -> Option<ServerCertificate> {
    let (rest, certificate) = X509Certificate::from_der(der).ok()?;
    let der = &der[..der.len() - rest.len()];
    let mut names = Vec::new();
    let mut matches = false;
    for shown in alternative_names(&certificate) {
        matches |= sni.is_some_and(|sni| is_for(&shown, sni));
        if names.len() < MAX_NAMES {
            names.push(shown);
        }
    }
    let validity = certificate.validity();
    Some(ServerCertificate {
        sni: sni.cloned(),
        subject: name::written(certificate.subject()),
        issuer: name::written(certificate.issuer()),
        names,
        not_before: Timestamp::from_secs(validity.not_before.timestamp()),
        not_after: Timestamp::from_secs(validity.not_after.timestamp()),
        key: key(certificate.public_key()),
        sha256: Some(hexadecimal(&Sha256::digest(der))),
        chain,
        self_signed: certificate.subject().as_raw() == certificate.issuer().as_raw(),
        name_matches: sni.map(|_| matches),
    })
}

/// DNS names and addresses that a certificate is for. The common name is none of them
/// (RFC 9525, section 6.3).
fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<SmolStr> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let names = extension.value.general_names.iter();
    names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(clean_name_bytes(name.as_bytes())),
            GeneralName::IPAddress(bytes) => address(bytes).map(|a| format_smolstr!("{a}")),
            _ => None,
        })
        .collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

/// Whether a name of a certificate is for `asked`, both clean. A wildcard stands for one whole
/// label, the first (RFC 9525, section 6.3).
fn is_for(shown: &str, asked: &str) -> bool {
    match shown.strip_prefix("*.") {
        Some(parent) => asked.split_once('.').is_some_and(|(label, rest)| {
            !label.is_empty() && rest == parent && parent.contains('.')
        }),
        None => shown == asked,
    }
}

/// Kind and size of a key.
fn key(shown: &SubjectPublicKeyInfo<'_>) -> SmolStr {
    let algorithm = &shown.algorithm.algorithm;
    if *algorithm == OID_SIG_ED25519 {
        return SmolStr::new_static("ed25519");
    }
    if *algorithm == OID_SIG_ED448 {
        return SmolStr::new_static("ed448");
    }
    match shown.parsed() {
        Ok(PublicKey::RSA(key)) => format_smolstr!("rsa {}", bits(key.modulus)),
        Ok(PublicKey::EC(point)) => match point.key_size() {
            // Coordinates are whole bytes; the field of P-521 is not.
            528 => SmolStr::new_static("ec 521"),
            bits => format_smolstr!("ec {bits}"),
        },
        Ok(PublicKey::DSA(value)) => format_smolstr!("dsa {}", bits(value)),
        _ => format_smolstr!("{algorithm}"),
    }
}

/// Length of a number in bits.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    match number.get(zeros) {
        Some(first) => (number.len() - zeros) * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> SmolStr {
    let mut text = SmolStrBuilder::new();
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
    }
    text.finish()
}

#[cfg(test)]
mod tests;
