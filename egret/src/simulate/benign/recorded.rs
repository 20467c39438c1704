//! What real programs were recorded to do: a run is drawn and said again, contact by contact.
//!
//! Times and sizes are the recording's; the hellos are those of the programs' TLS libraries, filled to
//! the recorded size. Paths inside TLS were not recorded: those that a proxy logs are made here.

use super::Activity;
use crate::simulate::programs::{
    AGENT, APT, CARGO, CURL, GIT, GO_COMMAND, MAVEN, NPM, PIP, Program, REQUESTS,
};
use crate::simulate::recording::{Profile, Run};
use crate::simulate::session::{Ask, Replay, Session, Visit};
use crate::simulate::world::{Host, public};

/// Activities, each with its program, and what its requests ask.
macro_rules! recorded {
    ($($activity:ident: $name:literal, $program:ident, $ask:ident;)*) => {
        $(pub(super) const $activity: Activity =
            Activity { name: $name, run: |session| do_again(session, $name, (&$program, $ask)) };)*

        /// The program of each.
        #[cfg(test)]
        pub(crate) fn program_of(activity: &str) -> Option<&'static Program> {
            match activity {
                $($name => Some(&$program),)*
                _ => None,
            }
        }
    };
}

recorded! {
    PIP_INSTALL: "pip-install", PIP, ask_registry;
    NPM_INSTALL: "npm-install", NPM, ask_registry;
    CARGO_BUILD: "cargo-build", CARGO, ask_registry;
    APT_UPDATE: "apt-update", APT, ask_registry;
    GO_BUILD: "go-build", GO_COMMAND, ask_registry;
    MAVEN_BUILD: "maven-build", MAVEN, ask_registry;
    GIT_CLONE: "git-clone", GIT, ask_for_pack;
    GIT_PUSH: "git-push", GIT, ask_to_take_pack;
    LLM_LOOP: "llm-loop", AGENT, ask_model;
    CURL_CALLS: "curl", CURL, ask_code_host;
    API_CALLS: "api-calls", REQUESTS, ask_code_host;
}

fn do_again(session: &mut Session, activity: &str, (program, ask): (&'static Program, Ask)) {
    let Some(profile) = Profile::of(activity) else { return };
    let runs = profile.part(session.part);
    if runs.is_empty() {
        return;
    }
    let run = *session.dice.pick(&runs);
    say_again(session, (profile, run), (program, ask));
}

/// Makes the contacts of a run at their times, and lives through all.
pub(crate) fn say_again(
    session: &mut Session,
    (profile, run): (&Profile, &Run),
    (program, ask): (&'static Program, Ask),
) {
    let begin = session.now;
    let mut end = begin;
    for contact in &run.contacts {
        session.now = begin + contact.offset;
        let host = host(contact.host);
        let replay = Replay { contact, profile, ask };
        end = end.max(session.visit(&Visit::again(&host, program, replay)).ended);
    }
    session.now = end;
}

/// A recorded host, as the end of the chain of aliases that a resolver tells.
fn host(name: &str) -> Host {
    let aliases: &[&str] = match name {
        "deb.debian.org" => &["debian.map.fastlydns.net"],
        "index.crates.io" => &["d1y5ic5cbqyuxv.cloudfront.net"],
        _ => &[],
    };
    public(name).behind(aliases)
}

/// Status of what is there, and of what is not.
const OK: u16 = 200;
const NOT_FOUND: u16 = 404;

fn ask_registry(host: &Host, number: usize, _: usize) -> (&'static str, String, u16) {
    let (path, status) = match host.name.as_str() {
        "pypi.org" => (format!("/simple/package-{number}/"), OK),
        "files.pythonhosted.org" => {
            (format!("/packages/package_{number}-1.0-py3-none-any.whl"), OK)
        }
        "registry.npmjs.org" => (format!("/package-{number}"), OK),
        "index.crates.io" => (format!("/pa/ck/package-{number}"), OK),
        "static.crates.io" => (format!("/crates/package-{number}/1.0.0/download"), OK),
        // Which part of an import path is the module's is found out by asking for each.
        "proxy.golang.org" if number % 3 == 1 => {
            (format!("/example.com/package-{number}/internal/client/@v/list"), NOT_FOUND)
        }
        "proxy.golang.org" => (format!("/example.com/package-{number}/@v/v1.0.0.zip"), OK),
        // The groups that a plugin's short name may be of are looked through.
        "repo.maven.apache.org" if number % 10 == 3 => {
            (format!("/maven2/org/package/plugins-{number}/maven-metadata.xml"), NOT_FOUND)
        }
        "repo.maven.apache.org" => {
            (format!("/maven2/org/package/{number}/package-{number}.jar"), OK)
        }
        _ => (format!("/{number}"), OK),
    };
    ("GET", path, status)
}

fn ask_for_pack(_: &Host, number: usize, _: usize) -> (&'static str, String, u16) {
    ask_git("git-upload-pack", number)
}

fn ask_to_take_pack(_: &Host, number: usize, _: usize) -> (&'static str, String, u16) {
    ask_git("git-receive-pack", number)
}

/// The references first, then what the service is for.
fn ask_git(service: &str, number: usize) -> (&'static str, String, u16) {
    match number {
        0 => ("GET", format!("/acme/service.git/info/refs?service={service}"), OK),
        _ => ("POST", format!("/acme/service.git/{service}"), OK),
    }
}

fn ask_model(host: &Host, _: usize, _: usize) -> (&'static str, String, u16) {
    let path = match host.name.as_str() {
        "api.anthropic.com" => "/v1/messages",
        _ => "/v1/chat/completions",
    };
    ("POST", path.to_owned(), OK)
}

/// Requests of a code host's API that are larger have a body: their headers and token take this much.
const LARGEST_GET_BYTES: usize = 300;

fn ask_code_host(host: &Host, number: usize, up: usize) -> (&'static str, String, u16) {
    match host.name.as_str() {
        "api.github.com" if up > LARGEST_GET_BYTES => {
            ("POST", format!("/repos/acme/service/issues/{number}/comments"), OK)
        }
        // Whether there is one yet.
        "api.github.com" if number % 7 == 5 => {
            ("GET", format!("/repos/acme/service/releases/tags/v1.{number}.0"), NOT_FOUND)
        }
        "api.github.com" => ("GET", format!("/repos/acme/service/issues/{number}"), OK),
        _ => ("GET", format!("/acme/service/main/file-{number}"), OK),
    }
}
