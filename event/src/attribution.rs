//! Who caused an event.

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// Who caused an event, and who says so.
///
/// Shared by all events of one executor behind an `Arc`, so it is made once per flow or client
/// address, not once per event.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Attribution {
    /// The executor's id. When nothing named it, its address in text.
    pub executor: SmolStr,
    /// The session's id as its starter gave it. `None`: the session is the executor's lifetime.
    pub session: Option<SmolStr>,
    /// The kind of executor (image, task type).
    pub template: Option<SmolStr>,
    /// Who the executor works for.
    pub tenant: Option<SmolStr>,
    /// The configured network segment that holds the executor's address.
    pub segment: SmolStr,
    /// Which source named the executor.
    pub named_by: NamedBy,
}

/// Where an executor's identity came from, strongest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum NamedBy {
    /// Nobody: the address itself is the name.
    Address,
    /// A user name that a proxy logged. It is only as strong as that proxy's authentication.
    ProxyUser,
    /// The subject of the client certificate that a proxy or server verified.
    ClientCertificate,
    /// A fixed entry in the configuration.
    Configuration,
    /// The container engine: a container had the address at this time.
    Docker,
    /// The cluster: a pod had the address at this time.
    Kubernetes,
    /// Whoever started the executor registered it for this time.
    Registration,
}

impl Attribution {
    /// Of what belongs to a source and to no executor, such as a gap: all names are empty.
    pub fn nobody() -> Self {
        Self {
            executor: SmolStr::default(),
            session: None,
            template: None,
            tenant: None,
            segment: SmolStr::default(),
            named_by: NamedBy::Address,
        }
    }
}

impl NamedBy {
    /// The word for it in messages: as in JSON, with spaces.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::ProxyUser => "proxy user",
            Self::ClientCertificate => "client certificate",
            Self::Configuration => "configuration",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::Registration => "registration",
        }
    }

    /// How far to trust it, from 0 to 1. A convention of Egret's, for display and for ordering.
    pub const fn confidence(self) -> f64 {
        match self {
            Self::Address => 0.5,
            Self::ProxyUser => 0.7,
            Self::ClientCertificate => 0.8,
            Self::Configuration => 0.9,
            Self::Docker | Self::Kubernetes => 0.95,
            Self::Registration => 1.0,
        }
    }
}
