use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};

use super::*;

fn params(names: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.subject_alt_names =
        names.iter().map(|name| SanType::DnsName((*name).try_into().unwrap())).collect();
    params.not_before = rcgen::date_time_ymd(2025, 1, 1);
    params.not_after = rcgen::date_time_ymd(2026, 1, 1);
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CountryName, "XX");
    subject.push(DnType::OrganizationName, "Acme, Inc.");
    subject.push(DnType::CommonName, "example\u{202e}.org");
    params.distinguished_name = subject;
    params
}

fn self_signed(params: &CertificateParams) -> Vec<u8> {
    params.clone().self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
}

#[test]
fn a_certificate_says_for_whom_and_how_long() {
    let mut params = params(&["example.org", "*.Example.org"]);
    params.subject_alt_names.push(SanType::IpAddress([192, 0, 2, 1].into()));
    let der = self_signed(&params);
    let seen = read(&der, Some(&"example.org".into()), 1).unwrap();
    assert_eq!(seen.subject, "CN=example\\e2\\80\\ae.org,O=Acme\\, Inc.,C=XX");
    assert_eq!(seen.issuer, seen.subject);
    assert!(seen.self_signed);
    assert_eq!(seen.names, ["example.org", "*.example.org", "192.0.2.1"]);
    assert_eq!(seen.not_before, Timestamp::from_secs(1_735_689_600));
    assert_eq!(seen.not_after, Timestamp::from_secs(1_767_225_600));
    assert_eq!((seen.key.as_str(), seen.chain), ("ec 256", 1));
    assert_eq!(seen.name_matches, Some(true));
    assert_eq!(seen.sha256.unwrap().len(), 64);
}

#[test]
fn a_certificate_by_another_is_not_self_signed() {
    let authority = KeyPair::generate().unwrap();
    let mut above = params(&[]);
    above.distinguished_name = DistinguishedName::new();
    above.distinguished_name.push(DnType::CommonName, "Root");
    let issuer = rcgen::Issuer::new(above, authority);
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    let der = params(&["a.example"]).signed_by(&key, &issuer).unwrap().der().to_vec();
    let seen = read(&der, None, 2).unwrap();
    assert_eq!((seen.issuer.as_str(), seen.self_signed), ("CN=Root", false));
    assert_eq!((seen.key.as_str(), seen.name_matches), ("ed25519", None));
}

#[test]
fn a_wildcard_stands_for_one_label_and_the_common_name_for_nothing() {
    for (shown, asked, expected) in [
        ("*.example.org", "www.example.org", true),
        ("*.example.org", "a.b.example.org", false),
        ("*.example.org", "example.org", false),
        ("*.example.org", ".example.org", false),
        ("*.org", "example.org", false),
        ("w*.example.org", "www.example.org", false),
        ("example.org", "example.org", true),
        ("example.org", "example.com", false),
    ] {
        assert_eq!(is_for(shown, asked), expected, "{shown} for {asked}");
    }
    let der = self_signed(&params(&[]));
    let seen = read(&der, Some(&"example.org".into()), 1).unwrap();
    assert_eq!((seen.names.len(), seen.name_matches), (0, Some(false)));
}

#[test]
fn many_names_are_matched_and_few_are_kept() {
    let names: Vec<_> = (0..40).map(|number| format!("n{number}.example")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let seen = read(&self_signed(&params(&names)), Some(&"n39.example".into()), 1).unwrap();
    assert_eq!((seen.names.len(), seen.name_matches), (MAX_NAMES, Some(true)));
}

#[test]
fn a_long_name_is_cut() {
    let mut params = params(&[]);
    params.distinguished_name.push(DnType::OrganizationalUnitName, "ö".repeat(1000));
    let seen = read(&self_signed(&params), None, 1).unwrap();
    assert!(seen.subject.len() <= 256 && seen.subject.starts_with("OU=ööö"));
}

#[test]
fn the_length_of_a_key_is_that_of_its_number() {
    assert_eq!(bits(&[0, 0x80, 0, 0]), 24);
    assert_eq!(bits(&[1, 0]), 9);
    assert_eq!(bits(&[0]), 0);
}

proptest::proptest! {
    #[test]
    fn damaged_certificates_never_panic(at in 0..400_usize, value: u8, kept in 0..600_usize) {
        let mut der = self_signed(&params(&["example.org"]));
        if let Some(byte) = der.get_mut(at) {
            *byte = value;
        }
        der.truncate(kept);
        let _ = read(&der, None, 1);
    }
}
