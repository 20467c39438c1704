//! The facts that Egret is about, and the words for them.
//!
//! This crate is a leaf: every other crate depends on it and it depends on none of them. It
//! holds the [`Event`] (one observed egress fact), who caused it ([`Attribution`]), where it
//! went ([`Destination`]), the [`EventBatch`] that carries events between threads, and the
//! [`Ledger`] that accounts for every unit a stage received.
//!
//! It reads no clock, opens no file and knows no input format.

mod attribution;
mod batch;
mod content;
mod destination;
mod executor;
mod fact;
mod id;
mod ledger;
mod time;
mod units;

pub use attribution::{Attribution, NamedBy};
pub use batch::{EventBatch, InputPosition, MAX_BATCH_AGE_MS, MAX_BATCH_EVENTS};
pub use content::{ContentLayer, ContentPlace, Sections, Sensitive, SensitiveKind};
pub use destination::{
    Destination, NameSource, clean_labels, clean_name, clean_name_bytes, has_public_suffix,
    registrable_domain,
};
pub use executor::{ExecutorRegistration, RegistrationError};
pub use fact::{
    BlockReason, Contradiction, ContradictionKind, DnsExchange, Event, Fact, FlowInterval,
    FlowPhase, Gap, GapReason, HttpRequest, Protocol, Resolution, SeenBy, ServerCertificate,
    ServiceBinding, TlsCarrier, TlsHello, Transport, Verdict, Volume,
};
pub use id::{EventId, IdWriter, ParseIdError, Scope};
pub use ledger::{Ledger, LedgerReading, Loss};
pub use smol_str::SmolStr;
pub use time::{ParseTimestampError, Timestamp};
pub use units::{ByteSize, HumanDuration, ParseUnitError};
