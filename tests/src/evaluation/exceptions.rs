//! Why something bad was not found, or not above all else: looked into by hand, one by one.

/// What is known of one place in the data.
pub(super) struct Exception {
    /// How its path begins.
    path: &'static str,
    /// Where it went.
    place: &'static str,
    why: &'static str,
}

const EXCEPTIONS: [Exception; 6] = [
    Exception {
        path: "pcap-malware-c2/agenttesla/",
        place: "143.95.79.226",
        why: "one file of 533 bytes by FTP, with a login. A new destination is sent more by most sessions; \
              that executors seldom speak FTP is nothing that any detector asks.",
    },
    Exception {
        path: "pcap-malware-c2/agenttesla/",
        place: "208.91.198.143",
        why: "one mail of 884 bytes. As with FTP: no detector asks how usual mail is.",
    },
    Exception {
        path: "pcap-malware-c2/asyncrat/",
        place: "186.169.47.11",
        why: "a minute and a half with 52 KiB up and 169 KiB down on port 7084. Shipped priors take that for \
              what a new destination may be sent; a certificate of 1024 bits for ten years only adds to it.",
    },
    Exception {
        path: "zeek-ctu-sme11-labelled",
        place: "66.63.168.35",
        why: "the server was gone: 719 connections in eight minutes, each refused, three within a second \
              each time. Nothing was sent, contacts within two seconds count as one for a rhythm, and a \
              minute has fewer than a burst.",
    },
    Exception {
        path: "zeek-apt29/day1",
        place: "192.168.0.4",
        why: "above it is the host's own domain, which is private and in no allowlist either, so that the same \
              rule reports both; the attacker went on to it.",
    },
    Exception {
        path: "zeek-apt29/day1",
        place: "192.168.0.5",
        why: "as 192.168.0.4: above it is the domain that the attacker moved to, with 11 MiB against 0.6.",
    },
];

/// Why what went to one of these places is an exception, as far as that is known.
pub(super) fn why(path: &str, places: &[String]) -> Option<&'static str> {
    let is_known = |known: &&Exception| {
        path.starts_with(known.path) && places.iter().any(|place| place == known.place)
    };
    EXCEPTIONS.iter().find(is_known).map(|known| known.why)
}
