//! The table of tenancies: read once, and looked up by the last two labels of a host.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Purpose, Verb, service_of};

const TABLE: &str = include_str!("../priors/tenancies.txt");

/// Parts of a path that are looked at.
const MOST_PARTS: usize = 24;

static RULES: LazyLock<BTreeMap<&'static str, Vec<Rule>>> = LazyLock::new(|| {
    let mut rules: BTreeMap<_, Vec<Rule>> = BTreeMap::new();
    for rule in lines().filter_map(Rule::parse) {
        rules.entry(service_of(rule.host)).or_default().push(rule);
    }
    rules
});

/// The rules that a host may fit, in their order.
pub(super) fn of(host: &str) -> &'static [Rule] {
    RULES.get(service_of(host)).map_or(&[], Vec::as_slice)
}

/// Whether some host below a domain, or above it, may fit a rule.
pub(crate) fn is_listed(domain: &str) -> bool {
    RULES.contains_key(service_of(domain))
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Rule {
    host: &'static str,
    pub(super) purpose: Purpose,
    pub(super) methods: Methods,
    path: Vec<&'static str>,
}

/// The methods that a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Methods {
    /// Those that ask for something.
    Reading,
    /// All, for a path that asks for something.
    Fetching,
    /// Those that send something.
    Writing,
    /// All, where whatever comes is kept.
    Any,
}

impl Methods {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "read" => Some(Self::Reading),
            "fetch" => Some(Self::Fetching),
            "write" => Some(Self::Writing),
            "reach" => Some(Self::Any),
            _ => None,
        }
    }

    /// Whether a request's method is one of them.
    pub(super) fn fit(self, method: &str) -> bool {
        match self {
            Self::Reading => matches!(method, "GET" | "HEAD"),
            Self::Writing => matches!(method, "POST" | "PUT" | "PATCH"),
            Self::Fetching | Self::Any => true,
        }
    }

    pub(super) const fn verb(self) -> Verb {
        match self {
            Self::Reading | Self::Fetching => Verb::Read,
            Self::Writing | Self::Any => Verb::Write,
        }
    }
}

impl Rule {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let [host, purpose, methods, path] = [(); 4].map(|()| words.next());
        let purpose = purpose?;
        let rule = Self {
            host: host?,
            purpose: Purpose::ALL.into_iter().find(|known| known.word() == purpose)?,
            methods: Methods::parse(methods?)?,
            path: path?.strip_prefix('/')?.split('/').collect(),
        };
        words.next().is_none().then_some(rule)
    }

    /// Whether the host alone decides.
    pub(super) fn is_of_any_path(&self) -> bool {
        self.path == ["**"]
    }

    /// Whether the host's name begins with the tenant.
    pub(super) fn is_tenant_in_host(&self) -> bool {
        self.host.starts_with(":t.")
    }

    /// The tenant, if host and path fit; empty where the rule knows none.
    pub(super) fn read<'a>(&self, host: &'a str, path: &'a str) -> Option<&'a str> {
        let in_host = self.read_host(host)?;
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut parts = [""; MOST_PARTS];
        let mut count = 0;
        for (place, part) in parts.iter_mut().zip(path.split('/')) {
            *place = part;
            count += 1;
        }
        let in_path = read_path(&self.path, &parts[..count]);
        // Whoever keeps all that comes keeps what does not fit as well.
        let in_path = if self.methods == Methods::Any { in_path.or(Some("")) } else { in_path };
        in_path.map(|in_path| if in_path.is_empty() { in_host } else { in_path })
    }

    /// The tenant in the host, if that fits; empty where it holds none.
    pub(super) fn read_host<'a>(&self, host: &'a str) -> Option<&'a str> {
        if let Some(name) = self.host.strip_prefix(":t.") {
            let end = fits_from_right(name, host)?;
            let tenant = host[..end].strip_suffix('.')?;
            return (!tenant.is_empty()).then_some(tenant);
        }
        let (name, below) = match self.host.strip_prefix('.') {
            Some(name) => (name, true),
            None => (self.host, false),
        };
        let end = fits_from_right(name, host)?;
        (end == 0 || below).then_some("")
    }
}

/// Where in `host` the labels of `name` begin, if it ends in them.
fn fits_from_right(name: &str, host: &str) -> Option<usize> {
    let mut begin = host.len() + 1;
    let mut labels = host.rsplit('.');
    for wanted in name.rsplit('.') {
        let label = labels.next()?;
        let fits = match wanted.strip_suffix('*') {
            Some(first) => label.len() > first.len() && label.starts_with(first),
            None => label == wanted,
        };
        if !fits {
            return None;
        }
        begin -= label.len() + 1;
    }
    Some(begin)
}

/// The tenant that a pattern finds in the parts of a path; empty where it holds none.
fn read_path<'a>(pattern: &[&str], parts: &[&'a str]) -> Option<&'a str> {
    let Some((wanted, pattern)) = pattern.split_first() else {
        // A path may end in a slash.
        return matches!(parts, [] | [""]).then_some("");
    };
    if *wanted == "**" {
        return (0..=parts.len()).find_map(|from| {
            if pattern.is_empty() { Some("") } else { read_path(pattern, &parts[from..]) }
        });
    }
    let (part, parts) = parts.split_first()?;
    let fits = match (*wanted, wanted.strip_suffix('*')) {
        (":t" | "*", _) => !part.is_empty(),
        (_, Some(first)) => part.len() > first.len() && part.starts_with(first),
        (literal, None) => *part == literal,
    };
    let rest = if fits { read_path(pattern, parts)? } else { return None };
    Some(if *wanted == ":t" { part } else { rest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_rule_for_clean_names() {
        for line in lines() {
            let rule = Rule::parse(line);
            assert!(rule.is_some(), "{line}");
            let host = rule.unwrap().host.trim_start_matches(":t.").trim_start_matches('.');
            assert!(!service_of(host).contains(['*', ':']), "{line}");
            assert_eq!(egret_event::clean_name(host), host, "{line}");
        }
    }

    #[test]
    fn no_rule_hides_the_one_below_it() {
        let same = |one: &Rule, other: &Rule| {
            (one.host, one.methods) == (other.host, other.methods)
                && (one.path == other.path || one.is_of_any_path())
        };
        for rules in RULES.values() {
            for (at, rule) in rules.iter().enumerate() {
                assert!(!rules[..at].iter().any(|above| same(above, rule)), "{rule:?}");
            }
        }
    }
}
