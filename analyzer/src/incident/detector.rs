//! The detectors: their names and codes.

use serde::{Deserialize, Serialize};

/// A detector, by its code in DETECTION terms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Detector {
    /// D1: a destination that is new here.
    NewDestination,
    /// D2: more sent than is normal.
    UploadSize,
    /// D3: contacts come faster than is normal.
    RateBurst,
    /// D4: little by little, for as long as a session lives.
    SlowDrip,
    /// D5: a new destination is contacted at even intervals.
    Beacon,
    /// D6: DNS questions carry data.
    DnsTunnel,
    /// D7: many distinct destinations were blocked.
    BlockedProbes,
    /// D8: something is left with a stranger on a service that everybody uses.
    ForeignTenant,
    /// D9: an address is contacted that no name led to.
    DirectAddress,
    /// D11: a certificate that no client should accept.
    OddCertificate,
    /// D12: a secret is in what is sent.
    SensitiveContent,
    /// P: something that policy forbids.
    Policy,
    /// D10: two observers of the same egress contradict each other.
    Contradiction,
    /// B: a source does not see.
    Blind,
    /// D14: session after session leaves a little at a place that was new to all.
    FleetDrip,
    /// T: the sessions of a template are not what they were.
    TemplateDrift,
    /// D15: more destinations that are new here than is normal.
    FanOut,
    /// D16: much is told in the paths of requests for what is not there.
    NotFound,
    /// H: Egret itself cannot do its work.
    Health,
}

impl Detector {
    /// All detectors.
    pub const ALL: [Self; 19] = [
        Self::NewDestination,
        Self::UploadSize,
        Self::RateBurst,
        Self::SlowDrip,
        Self::Beacon,
        Self::DnsTunnel,
        Self::BlockedProbes,
        Self::ForeignTenant,
        Self::DirectAddress,
        Self::OddCertificate,
        Self::SensitiveContent,
        Self::Policy,
        Self::Contradiction,
        Self::Blind,
        Self::FleetDrip,
        Self::TemplateDrift,
        Self::FanOut,
        Self::NotFound,
        Self::Health,
    ];

    /// The short code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NewDestination => "D1",
            Self::UploadSize => "D2",
            Self::RateBurst => "D3",
            Self::SlowDrip => "D4",
            Self::Beacon => "D5",
            Self::DnsTunnel => "D6",
            Self::BlockedProbes => "D7",
            Self::ForeignTenant => "D8",
            Self::DirectAddress => "D9",
            Self::OddCertificate => "D11",
            Self::SensitiveContent => "D12",
            Self::Policy => "P",
            Self::Contradiction => "D10",
            Self::Blind => "B",
            Self::FleetDrip => "D14",
            Self::TemplateDrift => "T",
            Self::FanOut => "D15",
            Self::NotFound => "D16",
            Self::Health => "H",
        }
    }

    /// The name for people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NewDestination => "new destination",
            Self::UploadSize => "upload size",
            Self::RateBurst => "rate burst",
            Self::SlowDrip => "slow drip",
            Self::Beacon => "beacon",
            Self::DnsTunnel => "DNS tunnel",
            Self::BlockedProbes => "blocked probes",
            Self::ForeignTenant => "foreign tenant",
            Self::DirectAddress => "direct address",
            Self::OddCertificate => "odd certificate",
            Self::SensitiveContent => "sensitive content",
            Self::Policy => "policy",
            Self::Contradiction => "contradiction",
            Self::Blind => "blind source",
            Self::FleetDrip => "fleet drip",
            Self::TemplateDrift => "template drift",
            Self::FanOut => "fan-out",
            Self::NotFound => "not-found requests",
            Self::Health => "egret itself",
        }
    }
}
