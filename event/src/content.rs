//! What was found in the content of something sent: that there was a secret, never the secret.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Something that was sent and should not leave. The value itself is not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sensitive {
    /// How sure it is.
    pub kind: SensitiveKind,
    /// What it is: the configured name of a known value, a provider's kind of credential, or the
    /// kind of name that a value stood under.
    pub name: SmolStr,
    /// Where it stood.
    pub place: ContentPlace,
    /// What had to be undone to read it, outermost first, at most 3.
    pub layers: Vec<ContentLayer>,
    /// How often it was there.
    pub count: u32,
    /// For a provider's credential: the first 12 hexadecimal digits of its SHA-256, by which its
    /// owner can tell which one it was.
    pub fingerprint: Option<SmolStr>,
    /// For a known value: which of its sections were seen.
    pub sections: Option<Sections>,
}

/// What kind of secret something is, and so how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SensitiveKind {
    /// A value that was planted to be stolen.
    Canary,
    /// A secret that was registered.
    Registered,
    /// A provider's credential, of which a checksum or a fixed part inside says that it is one.
    Credential,
    /// What looks like a provider's credential.
    LikelyCredential,
    /// Environment variables of a program, several of them.
    Environment,
    /// A value under a name that says secret, or a token that says little about itself.
    NamedValue,
}

/// Where in a request or question something stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContentPlace {
    /// The name of a host.
    Name,
    /// The path of a URL.
    Path,
    /// The query of a URL.
    Query,
    /// A header.
    Header,
    /// The beginning of a body.
    Body,
}

/// An encoding that was undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContentLayer {
    /// `%XX`.
    Percent,
    /// Two digits a byte.
    Hex,
    /// 32 letters.
    Base32,
    /// 64 letters.
    Base64,
    /// Compressed (zlib or gzip).
    Deflate,
    /// Written backwards.
    Reversed,
}

/// Which equal sections of a known value were seen: what is sent in pieces adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Sections {
    /// One bit for each section, the first is the lowest.
    pub seen: u64,
    /// How many there are, at most 48.
    pub of: u8,
}

impl Sections {
    /// Most sections of a value: the bits are exact in any JSON reader.
    pub const MOST: usize = 48;

    /// How much of the value was seen, 0 to 1.
    pub fn share(self) -> f64 {
        f64::from(self.seen.count_ones()) / f64::from(self.of.max(1))
    }

    /// Takes in what else was seen of the same value.
    pub fn add(&mut self, other: Self) {
        self.seen |= other.seen;
        self.of = self.of.max(other.of);
    }
}

impl SensitiveKind {
    /// Whether it is one of the values of the configuration.
    pub const fn is_known_value(self) -> bool {
        matches!(self, Self::Canary | Self::Registered)
    }
}

impl ContentPlace {
    /// The end of a sentence that says what was where.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Name => "in the name of a host",
            Self::Path => "in the path of a URL",
            Self::Query => "in the query of a URL",
            Self::Header => "in a header",
            Self::Body => "in the body of a request",
        }
    }
}

impl ContentLayer {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Percent => "percent-encoded",
            Self::Hex => "hexadecimal",
            Self::Base32 => "base32",
            Self::Base64 => "base64",
            Self::Deflate => "compressed",
            Self::Reversed => "reversed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_value_add_up() {
        let mut sections = Sections { seen: 0b0011, of: 4 };
        assert!((sections.share() - 0.5).abs() < 1e-12);
        sections.add(Sections { seen: 0b1010, of: 4 });
        assert_eq!(sections, Sections { seen: 0b1011, of: 4 });
    }
}
