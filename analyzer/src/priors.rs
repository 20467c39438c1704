//! What Egret believes before it has learned anything.
//!
//! Every number here is Egret's own choice, made so that plain exfiltration is reported and
//! package installs, page views and model calls are not. All are to be replaced by the
//! evaluation on real sessions.

use std::sync::LazyLock;

use egret_event::SmolStr;

use crate::detect::rate_burst::{Lane, WINDOWS};
use crate::detect::slow_drip::{AGES_MIN, MOST_PER_MINUTE, looks};
use crate::domains::Domains;
use crate::histogram::log_size;
use crate::moments::Expected;
use crate::questions::Carried;
use crate::size::{Class, Kind, Measure, Use};

/// The combined probability per session and destination below which an incident opens while
/// thresholds are not calibrated. One session in 2,000 may raise a false alarm and one contacts
/// about 5 destinations that are scored at all: 1 / (2,000 · 5).
pub(crate) const THRESHOLD: f64 = 1e-4;

/// Where an upload prior puts its bar: the probability at which the size alone, after two looks
/// and with its weight among the detectors (0.8), falls just below [`THRESHOLD`].
const P_AT_BAR: f64 = 3e-5;

/// The same for destinations that are new: three looks.
const P_AT_BAR_OF_NEW: f64 = 2e-5;

/// The same for what DNS questions carry: three looks, and the same weight.
const P_AT_BAR_OF_QUESTIONS: f64 = 2e-5;

/// The same for what was sent little by little, before the correction for the looks.
const P_AT_BAR_OF_DRIPS: f64 = 6e-5;

/// The same for contacts at even intervals: one look, and half of that weight.
const P_AT_BAR_OF_BEATS: f64 = 6e-5;

/// The same for contacts in a window: three looks.
const P_AT_BAR_OF_BURSTS: f64 = 3e-5;

/// Sessions of a template before it is known which destinations are new to it. Egret's own choice: what
/// one session in a hundred contacts was then contacted three times.
pub(crate) const SESSIONS_TO_KNOW: u64 = 300;

/// The same for tenants, where the template's sessions have a habit. Egret's own choice.
pub(crate) const SESSIONS_TO_KNOW_TENANTS: u64 = 30;

/// The part of sessions that contact a destination which nobody here contacted before. Observed
/// rates for benign sessions lie between 0.8 and 24 %.
pub(crate) const P_NEW_DESTINATION: f64 = 0.05;

/// The same for a service of the shipped list: contacting one is no news.
pub(crate) const P_KNOWN_SERVICE: f64 = 0.5;

/// Bytes sent by one session to one destination, or carried by its questions below one domain, or a
/// count: two points of the body of the distribution and one of its tail. Beyond the 98 % point the
/// tail is a power law through the bar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SizePrior {
    /// Half of the sessions send less, in bytes.
    pub(crate) median: u64,
    /// 98 % of the sessions send less, in bytes.
    pub(crate) p98: u64,
    /// The amount that is reported, in bytes.
    bar: u64,
    /// The part of the sessions that send as much.
    p_at_bar: f64,
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

impl SizePrior {
    /// The prior for a class of destination, a kind of contact and a measure.
    pub(crate) const fn of(class: Class, kind: Kind, measure: Measure) -> Self {
        let (median, p98, bar) = match (class, kind, measure) {
            // A few requests and their headers; a form; a small JSON body.
            (Class::New, Kind::Web | Kind::Other, Measure::Largest) => {
                (2 * KIB, 32 * KIB, 256 * KIB)
            }
            (Class::New, Kind::Web | Kind::Other, _) => (4 * KIB, 96 * KIB, MIB),
            // A question has about 40 bytes: 25,000 questions make 1 MiB.
            (_, Kind::Dns, _) => (4 * KIB, MIB, 16 * MIB),
            // Model calls with hundreds of KiB of context, pushes of a branch.
            (Class::Service, _, Measure::Largest) => (4 * KIB, 2 * MIB, 32 * MIB),
            (Class::Service, _, _) => (8 * KIB, 4 * MIB, 48 * MIB),
            (Class::Known, _, Measure::Largest) => (4 * KIB, MIB, 16 * MIB),
            (Class::Known, _, _) => (8 * KIB, 2 * MIB, 32 * MIB),
            // A crawler: thousands of hosts, about 2 KiB of handshake and headers each.
            (Class::Many, _, _) => (64 * KIB, 4 * MIB, 64 * MIB),
        };
        let p_at_bar = if matches!(class, Class::New) { P_AT_BAR_OF_NEW } else { P_AT_BAR };
        Self { median, p98, bar, p_at_bar }
    }

    /// The prior for contacts at even intervals with one new destination: a few sessions poll one
    /// until something is done, or have a tool that reports to its maker.
    pub(crate) const OF_BEATS: Self =
        Self { median: 1, p98: 8, bar: 16, p_at_bar: P_AT_BAR_OF_BEATS };

    /// The prior for new addresses of a session that no name led to: one in fifty has one, because it was
    /// asked for before anybody looked, or stands in a configuration.
    pub(crate) const OF_DIRECT_ADDRESSES: Self =
        Self { median: 0, p98: 1, bar: 12, p_at_bar: P_AT_BAR_OF_BEATS };

    /// The prior for new destinations of a session: a page brings those of its advertisers along, a
    /// crawler goes to hundreds.
    pub(crate) const OF_NEW_DESTINATIONS: Self =
        Self { median: 4, p98: 200, bar: 1_000, p_at_bar: P_AT_BAR_OF_BEATS };

    /// The prior for what the paths of requests hold, in bytes, that one destination answered "not found":
    /// a build that looks for its packages in several places asks for hundreds of words.
    pub(crate) const OF_NOT_FOUND: Self =
        Self { median: 1, p98: 2 * KIB, bar: 16 * KIB, p_at_bar: P_AT_BAR_OF_BEATS };

    /// The prior for new destinations of a session that show an odd certificate: one session in two
    /// hundred meets one.
    pub(crate) const OF_ODD_CERTIFICATES: Self =
        Self { median: 0, p98: 0, bar: 16, p_at_bar: P_AT_BAR_OF_BEATS };

    /// The prior for what DNS questions carry, by what the names are for.
    pub(crate) const fn of_questions(usage: Use, carried: Carried) -> Self {
        let (median, p98, bar) = match (usage, carried) {
            // Two or three names of words; a hash or an identifier here and there.
            (Use::Unused, Carried::Names) => (4, 96, 512),
            // A content network's shards, a browser's measuring points.
            (Use::Used, Carried::Names) => (8, 256, 2 * KIB),
            // A cloud's control plane by region and product, over a day.
            (Use::Familiar, Carried::Names) => (16, KIB, 8 * KIB),
            // The records of mail senders; the hash that proves a domain's ownership (17 bytes).
            (Use::Unused, Carried::FreeForm) => (1, 24, 96),
            (Use::Used, Carried::FreeForm) => (1, 48, 192),
            (Use::Familiar, Carried::FreeForm) => (1, 128, KIB),
            // A key or a policy has about 500 bytes.
            (Use::Unused, Carried::Answers) => (64, 2 * KIB, 16 * KIB),
            (Use::Used, Carried::Answers) => (64, 4 * KIB, 32 * KIB),
            (Use::Familiar, Carried::Answers) => (64, 8 * KIB, 128 * KIB),
        };
        Self { median, p98, bar, p_at_bar: P_AT_BAR_OF_QUESTIONS }
    }

    /// The prior for what a destination that is new here was sent by a session age, of each minute
    /// no more than [`MOST_PER_MINUTE`]: by the part of the minutes in which something was sent. A
    /// session that polls or streams for an hour is rare, one that does so for a morning rarer.
    pub(crate) const fn of_drip(age: usize) -> Self {
        let (median, p98, bar) = match age {
            0 => (5, 40, 80),
            1 => (4, 30, 60),
            _ => (3, 25, 45),
        };
        let percent = AGES_MIN[age] as u64 * MOST_PER_MINUTE as u64 / 100;
        Self {
            median: median * percent,
            p98: p98 * percent,
            bar: bar * percent,
            p_at_bar: P_AT_BAR_OF_DRIPS / looks(age),
        }
    }

    /// The prior for the most contacts of one session within 1, 10 and 60 s. A page view makes 100
    /// requests in 5 s, an install 50 connections; a package index is read with hundreds of requests.
    pub(crate) const fn of_burst(lane: Lane, window: usize) -> Self {
        const POINTS: [[(u64, u64, u64); WINDOWS]; 2] = [
            [(2, 34, 120), (6, 76, 260), (10, 190, 720)],
            [(16, 229, 810), (41, 573, 2_000), (76, 1_522, 5_800)],
        ];
        let (median, p98, bar) = POINTS[lane as usize][window];
        Self { median, p98, bar, p_at_bar: P_AT_BAR_OF_BURSTS }
    }

    /// It, ready to be asked about many sizes.
    pub(crate) fn curve(&self) -> Curve {
        Curve {
            median: log_size(self.median),
            p98: log_size(self.p98),
            bar: log_size(self.bar),
            p_at_bar: self.p_at_bar,
        }
    }
}

/// A [`SizePrior`] with its points on the scale of [`log_size`]: to find the size of a probability asks
/// for ten, and the logarithms of the points were most of what that cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Curve {
    median: f64,
    p98: f64,
    bar: f64,
    p_at_bar: f64,
}

impl Curve {
    /// P(a session sends at least so much), of a size on that scale.
    pub(crate) fn survival(&self, y: f64) -> f64 {
        if y <= 0.0 {
            return 1.0;
        }
        // From (y₀, ln p₀) to (y₁, ln p₁), and on beyond it.
        let line = |(y0, p0): (f64, f64), (y1, p1): (f64, f64)| {
            (p0.ln() + (y - y0) / (y1 - y0) * (p1 / p0).ln()).exp()
        };
        if y <= self.median {
            line((0.0, 1.0), (self.median, 0.5))
        } else if y <= self.p98 {
            line((self.median, 0.5), (self.p98, 0.02))
        } else {
            line((self.p98, 0.02), (self.bar, self.p_at_bar))
        }
    }
}

/// Distinct destinations of one session that were blocked: telemetry and update hosts. The bar
/// that follows lies near 18.
pub(crate) const BLOCKED: Expected = Expected::from_mean_and_deviation(1.0, 1.6);

/// Whether a host name is one of the shipped list of common services, or below one.
pub(crate) fn is_known_service(host: &str) -> bool {
    SERVICES.hold(host)
}

/// Whether a domain is one of the shipped list of those that are asked by names made of addresses
/// and hashes, or below one.
pub(crate) fn is_lookup_service(domain: &str) -> bool {
    domain.ends_with(".in-addr.arpa") || LOOKUPS.hold(domain)
}

/// Whether a domain is one of the shipped list of platforms that answer for all names below them.
pub(crate) fn is_platform(domain: &str) -> bool {
    PLATFORMS.hold(domain)
}

/// Whether a domain is itself one of those platforms, and not what a customer has below one.
pub(crate) fn is_own_of_platform(domain: &str) -> bool {
    PLATFORMS.has(domain)
}

/// The domains of a shipped list: one in a line, between empty lines and comments (`#`).
fn listed(text: &'static str) -> Domains {
    let lines = text.lines().map(str::trim);
    let domains = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    domains.map(SmolStr::new_static).collect()
}

static SERVICES: LazyLock<Domains> = LazyLock::new(|| listed(include_str!("priors/services.txt")));
static LOOKUPS: LazyLock<Domains> = LazyLock::new(|| listed(include_str!("priors/lookups.txt")));
static PLATFORMS: LazyLock<Domains> =
    LazyLock::new(|| listed(include_str!("priors/platforms.txt")));

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::slow_drip::AGES;

    #[test]
    fn priors_fall_and_pass_through_their_points() {
        let uploads = Class::ALL.into_iter().flat_map(|class| {
            let of_kind =
                move |kind| Measure::ALL.map(|measure| SizePrior::of(class, kind, measure));
            Kind::ALL.into_iter().flat_map(of_kind)
        });
        let of_use = |usage| Carried::ALL.map(|carried| SizePrior::of_questions(usage, carried));
        let drips = (0..AGES).map(SizePrior::of_drip);
        let of_lane = |lane| (0..WINDOWS).map(move |window| SizePrior::of_burst(lane, window));
        let bursts = Lane::ALL.into_iter().flat_map(of_lane);
        let others = drips.chain(bursts);
        for prior in uploads.chain(Use::ALL.into_iter().flat_map(of_use)).chain(others) {
            let survival = |bytes| prior.curve().survival(log_size(bytes));
            assert!((survival(0) - 1.0).abs() < 1e-9);
            assert!((survival(prior.median) - 0.5).abs() < 1e-9);
            assert!((survival(prior.p98) - 0.02).abs() < 1e-9);
            assert!((survival(prior.bar) / prior.p_at_bar - 1.0).abs() < 1e-9);
            assert!(survival(prior.bar * 100) < prior.p_at_bar / 10.0);
        }
    }

    #[test]
    fn services_are_clean_names_and_hold_their_subdomains_only() {
        for domain in [&SERVICES, &LOOKUPS, &PLATFORMS].into_iter().flat_map(|list| list.iter()) {
            assert_eq!(egret_event::clean_name(domain), *domain);
            assert!(domain.contains('.'), "{domain}");
        }
        // A destination is a registrable domain: what stands below one would never be found.
        for service in SERVICES.iter() {
            assert_eq!(egret_event::registrable_domain(service), *service);
        }
        assert!(is_known_service("files.pythonhosted.org"));
        assert!(is_known_service("api.github.com"));
        assert!(!is_known_service("mallory.github.io"));
        assert!(!is_known_service("github.com.example") && !is_known_service("notgithub.com"));
        assert!(!is_known_service("") && !is_known_service("github.com."));
        assert!(!is_known_service("storage.googleapis.com"));
        assert!(is_lookup_service("4.in-addr.arpa") && is_lookup_service("spamhaus.org"));
        assert!(is_own_of_platform("microsoft.com"));
        assert!(!is_own_of_platform("mallory.blob.core.windows.net"));
        assert!(!is_lookup_service("4.ip6.arpa") && !is_lookup_service("spamhaus.org.example"));
    }
}
