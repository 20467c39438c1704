//! The keys that sign webhooks. They are never printed, and never written in the configuration.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine};
use ring::hmac;

/// What a written secret begins with (Standard Webhooks 1.0.0, "Signature scheme").
const PREFIX: &str = "whsec_";

/// Length of a key in bytes, from the same place.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// While a secret is rotated the old and the new one sign together; more have no use.
const MAX_KEYS: usize = 2;

/// One key, or two while the secret is rotated.
#[derive(Clone)]
pub(crate) struct SigningKeys(Vec<hmac::Key>);

impl SigningKeys {
    /// From the text of a secret file or variable: `whsec_…`, or two of them with white space in
    /// between. The error says what is wrong without quoting the secret.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let keys = text.split_whitespace().map(key).collect::<Result<Vec<_>, _>>()?;
        match keys.len() {
            0 => Err("holds no secret: put whsec_ and 24 to 64 bytes in base64 there".to_owned()),
            1..=MAX_KEYS => Ok(Self(keys)),
            n => Err(format!("holds {n} secrets; at most {MAX_KEYS} sign during a rotation")),
        }
    }

    /// The value of `webhook-signature`: one signature per key, separated by spaces.
    pub(crate) fn sign(&self, id: &str, timestamp_s: i64, body: &str) -> String {
        let signed = format!("{id}.{timestamp_s}.{body}");
        let signatures = self.0.iter().map(|key| {
            format!("v1,{}", BASE64_STANDARD.encode(hmac::sign(key, signed.as_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn key(secret: &str) -> Result<hmac::Key, String> {
    let encoded = secret
        .strip_prefix(PREFIX)
        .ok_or_else(|| format!("holds a secret that does not begin with {PREFIX}"))?;
    let bytes = BASE64_STANDARD
        .decode(encoded)
        .map_err(|_| format!("holds a secret that is not base64 after {PREFIX}"))?;
    if !KEY_BYTES.contains(&bytes.len()) {
        return Err(format!("holds a secret of {} bytes; 24 to 64 are needed", bytes.len()));
    }
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKeys({} hidden)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Standard Webhooks reference implementations.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn the_published_example_gets_the_published_signature() {
        let keys = SigningKeys::parse(SECRET).unwrap();
        assert_eq!(
            keys.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
    }

    #[test]
    fn two_secrets_sign_side_by_side() {
        let other = format!("whsec_{}", BASE64_STANDARD.encode([7; 32]));
        let both = SigningKeys::parse(&format!("{other}\n{SECRET}\n")).unwrap();
        let each = [&other, SECRET].map(|one| SigningKeys::parse(one).unwrap().sign("i", 1, "b"));
        assert_eq!(both.sign("i", 1, "b"), each.join(" "));
    }

    #[test]
    fn unusable_secrets_are_refused_without_being_quoted() {
        for (wrong, says) in [
            ("", "holds no secret"),
            ("hunter2hunter2", "begin with whsec_"),
            ("whsec_hunter2*", "not base64"),
            ("whsec_aHVudGVyMg==", "7 bytes"),
        ] {
            let error = SigningKeys::parse(wrong).unwrap_err();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("hunter2") && !error.contains("aHVudGVy"), "{error}");
        }
        let keys = SigningKeys::parse(SECRET).unwrap();
        assert_eq!(format!("{keys:?}"), "SigningKeys(1 hidden)");
    }
}
