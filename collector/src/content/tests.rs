use egret_event::{ContentLayer, ContentPlace as Place, SensitiveKind as Kind, SmolStr};
use proptest::prelude::*;

use super::checks::crc32_letters;
use super::known::Label;
use super::*;

/// A key of a length that fills no group of any encoding.
const VALUE: &str = "kE9-vPz7Qm_41xTfRb8WsLd2YnGc0HuJ5aNiXoMqZt";

fn label(kind: Kind, belongs: &[&str]) -> Label {
    Label {
        name: "deploy key".into(),
        kind,
        belongs: belongs.iter().map(|domain| SmolStr::new(*domain)).collect(),
    }
}

fn knowing(value: &str) -> Scanner {
    let label = label(Kind::Registered, &["example.org"]);
    Scanner::of(&[Sought { label, value: value.as_bytes() }])
}

fn in_query<'a>(query: &'a str) -> Visible<'a> {
    Visible { host: b"drop.example.net", query: query.as_bytes(), ..Visible::default() }
}

fn in_path<'a>(path: &'a str) -> Visible<'a> {
    Visible { host: b"drop.example.net", path: path.as_bytes(), ..Visible::default() }
}

fn letters(text: &[u8], alphabet: &[u8]) -> String {
    let bits = alphabet.len().trailing_zeros();
    let (mut held, mut held_bits, mut encoded) = (0_u32, 0, String::new());
    let letter = |value: u32| char::from(alphabet[value as usize & (alphabet.len() - 1)]);
    for byte in text {
        held = held << 8 | u32::from(*byte);
        held_bits += 8;
        while held_bits >= bits {
            held_bits -= bits;
            encoded.push(letter(held >> held_bits));
        }
    }
    if held_bits > 0 {
        encoded.push(letter(held << (bits - held_bits)));
    }
    encoded
}

const HEX: &[u8] = b"0123456789abcdef";
const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn percent(text: &[u8]) -> String {
    text.iter().map(|byte| format!("%{byte:02x}")).collect()
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

/// Every way in which a value is looked for, by name.
fn encodings(value: &str) -> Vec<(String, String)> {
    let mut all = vec![("raw".to_owned(), value.to_owned())];
    for before in ["", "a", "ab"] {
        let text = format!("{before}{value}");
        for (name, alphabet) in [("base64", BASE64), ("base64url", BASE64_URL), ("base32", BASE32)]
        {
            all.push((format!("{name} behind {before:?}"), letters(text.as_bytes(), alphabet)));
        }
    }
    all.push(("hex".to_owned(), letters(value.as_bytes(), HEX)));
    all.push(("HEX".to_owned(), letters(value.as_bytes(), HEX).to_uppercase()));
    all.push(("percent".to_owned(), percent(value.as_bytes())));
    for (name, text) in all.clone() {
        all.push((format!("reversed {name}"), reversed(&text)));
    }
    let inside = letters(letters(value.as_bytes(), BASE64).as_bytes(), HEX);
    all.push(("hex of base64".to_owned(), inside));
    let backwards = reversed(value);
    all.push(("base64 of the reversed".to_owned(), letters(backwards.as_bytes(), BASE64_URL)));
    all
}

fn is_whole(found: &[Sensitive]) -> bool {
    let known = found.iter().find(|one| one.kind == Kind::Registered);
    known.is_some_and(|one| one.sections.is_some_and(|sections| sections.share() > 0.99))
}

#[test]
fn a_known_value_is_found_in_every_encoding_and_place() {
    let scanner = knowing(VALUE);
    for (name, text) in encodings(VALUE) {
        for visible in [
            in_query(&format!("id=7&d={text}&e=1")),
            in_path(&format!("/i/{text}/a.png")),
            Visible { host: b"a.example", headers: text.as_bytes(), ..Visible::default() },
            Visible { host: b"a.example", body: text.as_bytes(), ..Visible::default() },
        ] {
            assert!(is_whole(&scanner.request(&visible)), "{name}: {text}");
        }
    }
}

#[test]
fn a_known_value_is_found_in_the_labels_of_a_name() {
    let scanner = knowing(VALUE);
    for encoded in [letters(VALUE.as_bytes(), HEX), letters(VALUE.as_bytes(), BASE32)] {
        let labels: Vec<&str> =
            encoded.as_bytes().chunks(30).map(|label| str::from_utf8(label).unwrap()).collect();
        let name = format!("{}.t.example.net", labels.join(".")).to_ascii_lowercase();
        let found = scanner.name(name.as_bytes(), "example.net");
        assert!(is_whole(&found), "{name}");
        assert_eq!(found[0].place, Place::Name);
    }
}

#[test]
fn a_known_value_where_it_belongs_is_none_to_tell_of() {
    let scanner = knowing(VALUE);
    let at = |host: &'static [u8]| {
        scanner.request(&Visible { host, query: VALUE.as_bytes(), ..Visible::default() }).len()
    };
    assert_eq!(at(b"api.example.org"), 0);
    assert_eq!(at(b"example.org"), 0);
    assert_eq!(at(b"badexample.org"), 1);
    assert_eq!(at(b"example.org.evil.example"), 1);
}

#[test]
fn pieces_of_a_known_value_add_up_to_all_of_it() {
    let scanner = knowing(VALUE);
    let encoded = letters(VALUE.as_bytes(), HEX);
    let mut sum = egret_event::Sections { seen: 0, of: 0 };
    for piece in encoded.as_bytes().chunks(33) {
        let query = format!("d={}", str::from_utf8(piece).unwrap());
        for found in scanner.request(&in_query(&query)) {
            let sections = found.sections.unwrap();
            assert!(sections.share() < 0.9);
            sum.add(sections);
        }
    }
    assert!(sum.share() > 0.7, "{sum:?}");
}

fn github_token() -> String {
    let random = "Zq3vR8sLk2Wn5Yt7Hc9Jd4Fb6Gm1Px";
    format!("ghp_{random}{}", str::from_utf8(&crc32_letters(random.as_bytes())).unwrap())
}

#[test]
fn a_credential_is_told_without_itself_and_not_where_it_belongs() {
    let scanner = Scanner::default();
    let token = github_token();
    let query = format!("d={}", letters(format!("token {token}\n").as_bytes(), BASE64_URL));
    let found = scanner.request(&in_query(&query));
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    assert_eq!((one.kind, one.place, one.count), (Kind::Credential, Place::Query, 1));
    assert_eq!(one.layers, [ContentLayer::Base64]);
    assert_eq!(one.fingerprint.as_ref().map(SmolStr::len), Some(12));
    let told = format!("{found:?}");
    assert!(!told.contains(&token[8..20]), "{told}");
    let header = format!("Authorization: Bearer {token}\r\n");
    let at = |host: &'static str| {
        let visible =
            Visible { host: host.as_bytes(), headers: header.as_bytes(), ..Visible::default() };
        scanner.request(&visible).len()
    };
    assert_eq!((at("api.github.com"), at("api.github.com.evil.example")), (0, 1));
}

#[test]
fn an_environment_is_found_as_exfiltration_writes_it() {
    let scanner = Scanner::default();
    let environment = "AWS_ACCESS_KEY_ID=AKIA2E0A8F3B244C9986\n\
                       AWS_SECRET_ACCESS_KEY=Zq3vR8sLk2Wn5Yt7Hc9Jd4Fb6Gm1PxQaUeIoTyMr\n\
                       DATABASE_URL=postgres://app:9f86d081884c7d659a2feaa0@db:5432/app\n";
    let backwards = reversed(environment);
    for text in [environment, &backwards] {
        for alphabet in [HEX, BASE32, BASE64, BASE64_URL] {
            let encoded = letters(text.as_bytes(), alphabet);
            let found = scanner.request(&in_path(&format!("/i/{encoded}.png")));
            assert_eq!(found.first().map(|one| one.kind), Some(Kind::Credential), "{encoded}");
        }
    }
    let found = scanner.request(&in_query("PATH=%2Fusr%2Fbin&HOME=%2Froot&LANG=C"));
    assert_eq!(found.first().map(|one| one.kind), Some(Kind::Environment));
}

#[test]
fn ordinary_urls_hold_no_secrets() {
    let scanner = Scanner::default();
    for url in [
        "/packages/70/8e/0e2d847013cb52cd35b38c009bb167a1a26b2ce6cd6965bf26b47bc0bf44/requests-2.31.0-py3-none-any.whl",
        "/v2/library/python/blobs/sha256:4d3e1f7a2c7b7d6f3f2b1e9a7f6c5d4e3b2a190807f6e5d4c3b2a19080706050",
        "/hotstar/_next/static/chunks/framework-2c79e2a64abdb08b.js",
        "/a/b/550e8400-e29b-41d4-a716-446655440000/index.html",
        "/how-to-do-anything-at-all-in-a-week-or-two",
        "/maps/vt/pb=!1m4!1m3!1i15!2i17531!3i10743!2m3!1e0!2sm!3i630363612!3m8!2sen!3sus",
    ] {
        assert_eq!(scanner.request(&in_path(url)), [], "{url}");
    }
    for query in [
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA2E0A8F3B244C9986%2F20240101%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Signature=4d3e1f7a2c7b7d6f3f2b1e9a7f6c5d4e3b2a190807f6e5d4c3b2a19080706050",
        "sv=2021-08-06&se=2024-01-01T00%3A00%3A00Z&sr=b&sp=r&sig=Zq3vR8sLk2Wn5Yt7Hc9Jd4Fb6Gm1PxQaUeIoTyMrNwA%3D",
        "_=1700000000000&cb=0.8472638472638&sid=9f86d081884c7d659a2feaa0c55ad015",
        "utm_source=newsletter&utm_campaign=spring_sale_for_everybody_who_likes_it",
        "q=how+to+reset+my+password",
    ] {
        assert_eq!(scanner.request(&in_query(query)), [], "{query}");
    }
}

#[test]
fn what_is_decoded_is_bounded() {
    let scanner = knowing(VALUE);
    let long = "QUFB".repeat(60_000);
    let visible = Visible { host: b"a.example", body: long.as_bytes(), ..Visible::default() };
    assert_eq!(scanner.request(&visible), []);
    let many: String =
        (0..40).map(|n| format!("ghp_{}{n:04}&", &VALUE.replace(['-', '_'], "x")[..32])).collect();
    assert!(scanner.request(&in_query(&many)).len() <= MOST_FOUND);
}

proptest! {
    #[test]
    fn any_known_value_is_found_in_every_encoding(value in "[!-~]{16,90}") {
        let scanner = knowing(&value);
        for (name, text) in encodings(&value) {
            prop_assert!(is_whole(&scanner.request(&in_query(&format!("d={text}")))), "{}", name);
        }
    }

    #[test]
    fn random_bytes_in_any_encoding_are_no_secret(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let scanner = knowing(VALUE);
        for alphabet in [HEX, BASE32, BASE64, BASE64_URL] {
            let text = letters(&bytes, alphabet);
            prop_assert_eq!(scanner.request(&in_path(&format!("/{text}"))), []);
            prop_assert_eq!(scanner.request(&in_query(&format!("d={text}"))), []);
        }
    }

    #[test]
    fn any_bytes_are_looked_at_without_fail(
        path in prop::collection::vec(any::<u8>(), 0..300),
        body in "[A-Za-z0-9+/=%&:._-]{0,300}",
    ) {
        let visible =
            Visible { host: &path, path: &path, query: &path, headers: &path, body: body.as_bytes() };
        Scanner::default().request(&visible);
        knowing(VALUE).request(&visible);
    }
}
