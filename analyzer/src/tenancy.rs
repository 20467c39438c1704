//! Whose place on a service an event writes to, as far as host, method and path tell.
//!
//! A name that everybody uses (a code host, a bucket service, a chat) says nothing of who reads what is
//! sent there; the tenant below it does. The rules are the table `priors/tenancies.txt`, where each says
//! where it comes from. This file reads an event by them. Whether a tenant is foreign is decided
//! elsewhere ([`crate::detect::foreign_tenant`]).

mod rules;

use egret_event::{Event, Fact, HttpRequest, SmolStr, Verdict};
use serde::{Deserialize, Serialize};
use smol_str::SmolStrBuilder;

use rules::{Methods, Rule};

pub(crate) use rules::is_listed;

/// Longest tenant kept, in bytes: as long as a bucket's name may be (Amazon's "Bucket naming rules").
const MAX_TENANT_BYTES: usize = 63;

/// What a service is used for. The numbers are part of what is saved, and none is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(crate) enum Purpose {
    /// Repositories of source code.
    Code = 0,
    /// Small texts at a code host.
    Snippet = 1,
    /// Objects in a cloud.
    Bucket = 2,
    /// Container images.
    Images = 3,
    /// Models and data sets.
    Hub = 4,
    /// Files given to a model API.
    Files = 5,
    /// Packages for anybody to install.
    Registry = 6,
    /// Messages, and what catches requests.
    Chat = 7,
    /// Texts for whoever has the link.
    Paste = 8,
    /// A machine behind a public tunnel.
    Tunnel = 9,
    /// Files for whoever has the link.
    Drop = 10,
}

/// Whether something was left there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// Something was fetched.
    Read,
    /// Something was sent to stay there.
    Write,
}

/// What an event does at a tenant's place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Act {
    pub(crate) purpose: Purpose,
    pub(crate) verb: Verb,
    /// Whose place it is. `None`: not to be seen, or decided by a key that only the server sees.
    pub(crate) tenant: Option<SmolStr>,
    /// Bytes sent, as far as the event knows.
    pub(crate) bytes: u64,
    /// Whether it was stopped.
    pub(crate) is_blocked: bool,
}

/// By how much was sent, and how much more than came back, a write is told from reads where neither
/// method nor path is seen. Egret's own choice.
#[derive(Debug, Clone, Copy)]
struct Weighing {
    least_bytes: u64,
    /// Sent bytes are at least received ones times the first divided by the second.
    ratio: (u64, u64),
}

impl Purpose {
    pub(crate) const ALL: [Self; 11] = [
        Self::Code,
        Self::Snippet,
        Self::Bucket,
        Self::Images,
        Self::Hub,
        Self::Files,
        Self::Registry,
        Self::Chat,
        Self::Paste,
        Self::Tunnel,
        Self::Drop,
    ];

    /// The word in the table.
    const fn word(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Snippet => "snippet",
            Self::Bucket => "bucket",
            Self::Images => "images",
            Self::Hub => "hub",
            Self::Files => "files",
            Self::Registry => "registry",
            Self::Chat => "chat",
            Self::Paste => "paste",
            Self::Tunnel => "tunnel",
            Self::Drop => "drop",
        }
    }

    /// What people call such a service, with its article.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Code => "a code host",
            Self::Snippet => "a code host's snippets",
            Self::Bucket => "a bucket service",
            Self::Images => "a container registry",
            Self::Hub => "a model hub",
            Self::Files => "a model API's files",
            Self::Registry => "a package registry",
            Self::Chat => "a chat or webhook service",
            Self::Paste => "a paste site",
            Self::Tunnel => "a public tunnel",
            Self::Drop => "a file drop",
        }
    }

    /// `None`: what is sent there for other purposes looks the same.
    fn weighing(self, rule: &Rule) -> Option<Weighing> {
        let weighing = match self {
            // Below such a name there is more than repositories.
            Self::Code if rule.is_tenant_in_host() => return None,
            // A fetch sends what the client has already: tens of KiB, and more comes back. Signed
            // requests for many small objects send as much as they get.
            Self::Code | Self::Snippet | Self::Hub | Self::Bucket | Self::Images => {
                Weighing { least_bytes: 16 << 10, ratio: (2, 1) }
            }
            // An audit of a thousand packages sends 40 KiB and is told that all is well.
            Self::Registry => Weighing { least_bytes: 64 << 10, ratio: (4, 1) },
            // A browser's requests send as much, and get a page each. A handshake gets 4 KiB.
            Self::Paste | Self::Tunnel | Self::Drop if rule.is_of_any_path() => {
                Weighing { least_bytes: 4 << 10, ratio: (1, 2) }
            }
            Self::Paste | Self::Tunnel | Self::Drop | Self::Chat | Self::Files => return None,
        };
        Some(weighing)
    }
}

impl Act {
    /// What an event does, if a rule says so.
    pub(crate) fn of(event: &Event) -> Option<Self> {
        let host = event.destination.host.as_deref()?;
        match &event.fact {
            Fact::Http(request) if request.method != "CONNECT" => {
                Self::of_request(host, event, request)
            }
            Fact::Http(_) | Fact::Flow(_) => Self::of_host(host, event),
            _ => None,
        }
    }

    fn of_request(host: &str, event: &Event, request: &HttpRequest) -> Option<Self> {
        let path = request.path.as_deref().unwrap_or("/");
        let fitting = rules::of(host).iter().filter(|rule| rule.methods.fit(&request.method));
        let mut found = fitting.filter_map(|rule| Some((rule, rule.read(host, path)?)));
        let (rule, tenant) = found.next()?;
        let bytes = request.body_bytes.or(event.up_bytes()).unwrap_or(0);
        Some(Self::by(rule, tenant, (bytes, event.verdict)))
    }

    fn of_host(host: &str, event: &Event) -> Option<Self> {
        let mut fitting = rules::of(host).iter();
        let (rule, tenant) = fitting.find_map(|rule| Some((rule, rule.read_host(host)?)))?;
        let bytes = event.up_bytes().unwrap_or(0);
        let is_write = match rule.methods {
            Methods::Any => event.is_contact(),
            Methods::Writing => rule.purpose.weighing(rule).is_some_and(|weighing| {
                let (more, less) = weighing.ratio;
                let received = event.down.bytes.unwrap_or(0);
                bytes >= weighing.least_bytes
                    && bytes.saturating_mul(less) >= received.saturating_mul(more)
            }),
            Methods::Reading | Methods::Fetching => false,
        };
        is_write.then(|| Self::by(rule, tenant, (bytes, event.verdict)))
    }

    fn by(rule: &Rule, tenant: &str, (bytes, verdict): (u64, Verdict)) -> Self {
        let tenant = (!tenant.is_empty()).then(|| clean_tenant(tenant));
        Self {
            purpose: rule.purpose,
            verb: rule.methods.verb(),
            tenant,
            bytes,
            is_blocked: verdict.is_blocked(),
        }
    }
}

/// A tenant's name in one form: lower case, percent signs resolved where they stand for `/` and `@`, and
/// without what follows: a project below a group, a package below its scope, a secret after a bot's
/// number. It comes from the executor, so that it may hold anything.
fn clean_tenant(raw: &str) -> SmolStr {
    let lower = raw.to_ascii_lowercase().replace("%2f", "/").replace("%40", "@");
    let end = lower.find(['/', ':', '?']).unwrap_or(lower.len());
    let name = &lower[..end];
    let name = name.strip_suffix(".git").unwrap_or(name);
    let mut clean = SmolStrBuilder::new();
    name.chars().filter(char::is_ascii_graphic).take(MAX_TENANT_BYTES).for_each(|c| clean.push(c));
    clean.finish()
}

/// The last two labels of a host: what its rules are found by, and what its tenants belong to.
pub(crate) fn service_of(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(host, |at| &host[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(method: &str, url: &str) -> Option<(Purpose, Verb, Option<SmolStr>)> {
        let (host, path) = url.split_at(url.find('/').unwrap());
        let rules = rules::of(host).iter().filter(|rule| rule.methods.fit(method));
        let mut found = rules
            .filter_map(|rule| Some(Act::by(rule, rule.read(host, path)?, (0, Verdict::Allowed))));
        found.next().map(|act| (act.purpose, act.verb, act.tenant))
    }

    #[track_caller]
    fn check(method: &str, url: &str, purpose: Purpose, verb: Verb, tenant: &str) {
        let tenant = (!tenant.is_empty()).then(|| tenant.into());
        assert_eq!(read(method, url), Some((purpose, verb, tenant)), "{method} {url}");
    }

    #[test]
    fn writes_to_code_hosts_tell_the_owner() {
        let code = |method, url, tenant| check(method, url, Purpose::Code, Verb::Write, tenant);
        code("POST", "github.com/Quiet-Moth/notes.git/git-receive-pack", "quiet-moth");
        code("POST", "github.com/acme/notes/git-receive-pack", "acme");
        code("PUT", "api.github.com/repos/acme/notes/contents/a.txt", "acme");
        code("POST", "api.github.com/user/repos", "");
        code("POST", "uploads.github.com/repos/acme/notes/releases/1/assets", "acme");
        code("POST", "gitlab.com/group/below/notes.git/git-receive-pack", "group");
        code("POST", "gitlab.com/api/v4/projects/group%2Fnotes/repository/commits", "group");
        code("POST", "dev.azure.com/acme/tools/_git/notes/git-receive-pack", "acme");
        code("POST", "acme.visualstudio.com/tools/_git/notes/git-receive-pack", "acme");
        check("POST", "api.github.com/gists", Purpose::Snippet, Verb::Write, "");
        let hub = "huggingface.co/api/datasets/acme/notes/commit/main";
        check("POST", hub, Purpose::Hub, Verb::Write, "acme");
        check("PATCH", "api.github.com/gists/9f3c", Purpose::Snippet, Verb::Write, "");
        check("POST", "gitlab.com/api/v4/snippets", Purpose::Snippet, Verb::Write, "");
    }

    #[test]
    fn reads_are_told_from_writes() {
        let code = |method, url, tenant| check(method, url, Purpose::Code, Verb::Read, tenant);
        code("POST", "github.com/acme/notes.git/git-upload-pack", "acme");
        code("GET", "github.com/acme/notes/releases/download/v1/notes.tar.gz", "acme");
        code("GET", "api.github.com/repos/acme/notes", "acme");
        check(
            "GET",
            "huggingface.co/acme/encoder/resolve/main/a",
            Purpose::Hub,
            Verb::Read,
            "acme",
        );
        let asked = "huggingface.co/api/models/acme/encoder/paths-info/main";
        assert_eq!(read("POST", asked), None);
        for url in ["pastebin.com/raw/abc", "registry.npmjs.org/left-pad", "hf.co/a", "a.example/"]
        {
            assert_eq!(read("GET", url), None, "{url}");
        }
        for url in ["github.com/login", "registry.npmjs.org/-/npm/v1/security/advisories/bulk"] {
            assert_eq!(read("POST", url), None, "{url}");
        }
    }

    #[test]
    fn buckets_are_in_the_host_or_in_the_path() {
        let bucket = |url, tenant| check("PUT", url, Purpose::Bucket, Verb::Write, tenant);
        bucket("moth.s3.amazonaws.com/a", "moth");
        bucket("my.moth.s3.eu-central-1.amazonaws.com/a", "my.moth");
        bucket("moth.s3.dualstack.eu-west-1.amazonaws.com/a", "moth");
        bucket("moth.s3-us-west-2.amazonaws.com/a", "moth");
        bucket("s3.eu-central-1.amazonaws.com/moth/a", "moth");
        bucket("s3.amazonaws.com/moth/a", "moth");
        bucket("storage.googleapis.com/upload/storage/v1/b/moth/o", "moth");
        bucket("storage.googleapis.com/moth/a", "moth");
        bucket("moth.storage.googleapis.com/a", "moth");
        bucket("moth.blob.core.windows.net/box/a", "moth");
        bucket("moth.europe-west1.firebasedatabase.app/a.json", "moth");
        bucket("moth.nyc3.digitaloceanspaces.com/a", "moth");
        assert_eq!(read("PUT", "sqs.eu-central-1.amazonaws.com/1/queue"), None);
        let hub = "hf-hub-lfs-us-east-1.s3-accelerate.amazonaws.com/repos/object";
        check("PUT", hub, Purpose::Hub, Verb::Write, "");
    }

    #[test]
    fn secrets_in_paths_are_no_part_of_a_tenant() {
        let chat = |method, url, tenant| check(method, url, Purpose::Chat, Verb::Write, tenant);
        chat("POST", "hooks.slack.com/services/T04/B07/secret", "t04");
        chat("POST", "discord.com/api/v10/webhooks/1187/secret", "1187");
        chat("GET", "api.telegram.org/bot99:secret/sendMessage", "bot99");
        chat("POST", "acme.webhook.office.com/webhookb2/secret", "acme");
        chat("GET", "x1.oastify.com/secret", "x1");
        chat("POST", "docs.google.com/forms/d/e/1fa/formResponse", "1fa");
    }

    #[test]
    fn publishing_tells_the_scope_or_the_package() {
        let write =
            |method, url, tenant| check(method, url, Purpose::Registry, Verb::Write, tenant);
        write("PUT", "registry.npmjs.org/@quiet-moth%2futil", "@quiet-moth");
        write("PUT", "registry.npmjs.org/@quiet-moth/util", "@quiet-moth");
        write("PUT", "registry.npmjs.org/util", "util");
        write("POST", "upload.pypi.org/legacy/", "");
        write("PUT", "crates.io/api/v1/crates/new", "");
        check("PUT", "ghcr.io/v2/acme/a/manifests/1", Purpose::Images, Verb::Write, "acme");
    }

    #[test]
    fn a_host_that_only_looks_like_one_of_them_is_none() {
        for host in ["evil-github.com", "github.com.example", "ngrok.io", "com", "", "."] {
            assert!(rules::of(host).iter().all(|rule| rule.read_host(host).is_none()), "{host}");
        }
        assert_eq!(read("POST", "trycloudflare.com/in"), None, "the service's own page");
    }

    proptest::proptest! {
        #[test]
        fn any_request_is_read_or_not_and_tenants_are_short_and_printable(
            host in "([a-z*:.]{0,9}\\.)?(github\\.com|s3\\.amazonaws\\.com|discord\\.com)",
            path in "(/(\\PC{0,80}|repos|api|webhooks))*",
        ) {
            for method in ["GET", "POST"] {
                if let Some((_, _, Some(tenant))) = read(method, &format!("{host}/{path}")) {
                    proptest::prop_assert!(tenant.len() <= MAX_TENANT_BYTES);
                    proptest::prop_assert!(tenant.bytes().all(|byte| byte.is_ascii_graphic()));
                }
            }
        }
    }
}
