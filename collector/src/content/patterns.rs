//! What the credentials of providers look like, and where each belongs.
//!
//! Sources: the providers' documentation of their formats. GitHub's and npm's classic tokens end in a
//! checksum ("Behind GitHub's new authentication token formats", GitHub blog, April 2021); a token
//! whose checksum does not fit is none that works.

use egret_event::SensitiveKind;

use super::checks::{self, Check};

/// A form of credential.
#[derive(Debug)]
pub(super) struct Pattern {
    pub(super) name: &'static str,
    /// What it begins with.
    prefix: &'static [u8],
    /// What follows: how many letters, of what class.
    letters: (usize, usize),
    is_letter: fn(u8) -> bool,
    check: Check,
    kind: SensitiveKind,
    /// Domains that it is meant for, with their subdomains.
    pub(super) belongs: &'static [&'static str],
}

impl Pattern {
    const fn of_kind(self, check: Check, kind: SensitiveKind) -> Self {
        Self { check, kind, ..self }
    }
}

/// A place in a text that has the form.
#[derive(Debug)]
pub(super) struct Match<'t> {
    pub(super) pattern: &'static Pattern,
    pub(super) text: &'t [u8],
    pub(super) kind: SensitiveKind,
}

/// As many letters as there are.
const ANY: usize = usize::MAX;

const fn alnum(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

const fn word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

const fn url_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

const fn dotted(byte: u8) -> bool {
    url_letter(byte) || byte == b'.'
}

const fn upper(byte: u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit()
}

const fn hex(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'a'..=b'f')
}

const GITHUB: &[&str] = &[
    "github.com",
    "githubusercontent.com",
    "ghcr.io",
    "github.dev",
    "githubcopilot.com",
    "ghe.com",
];
const GITLAB: &[&str] = &["gitlab.com"];
const NPM: &[&str] = &["npmjs.org", "npmjs.com"];
const AWS: &[&str] = &["amazonaws.com", "amazonaws.com.cn", "amazon.com", "aws.dev", "api.aws"];
const SLACK: &[&str] = &["slack.com"];
const STRIPE: &[&str] = &["stripe.com"];
const GOOGLE: &[&str] = &["googleapis.com", "google.com", "youtube.com", "firebaseio.com"];
const OPENAI: &[&str] = &["openai.com"];
const ANTHROPIC: &[&str] = &["anthropic.com", "claude.ai"];
const PYPI: &[&str] = &["pypi.org"];
const HUGGING_FACE: &[&str] = &["huggingface.co", "hf.co", "hf.space"];
const DIGITAL_OCEAN: &[&str] = &["digitalocean.com"];
const SHOPIFY: &[&str] = &["shopify.com", "myshopify.com"];

/// A form whose letters say nothing more.
const fn form(
    name: &'static str,
    prefix: &'static [u8],
    letters: (usize, usize),
    is_letter: fn(u8) -> bool,
    belongs: &'static [&'static str],
) -> Pattern {
    let kind = SensitiveKind::LikelyCredential;
    Pattern { name, prefix, letters, is_letter, check: Check::None, kind, belongs }
}

/// The same with a check, which a credential passes.
const fn checked(check: Check, form: Pattern) -> Pattern {
    form.of_kind(check, SensitiveKind::Credential)
}

/// The same, where many are public or short of secret.
const fn weak(form: Pattern) -> Pattern {
    form.of_kind(Check::None, SensitiveKind::NamedValue)
}

const GITHUB_TOKEN: &str = "GitHub token";
const SLACK_TOKEN: &str = "Slack token";
const STRIPE_KEY: &str = "Stripe key";
const OPENAI_KEY: &str = "OpenAI key";
pub(super) const AWS_KEY_ID: &str = "AWS access key id";
const NEW_RELIC_KEY: &str = "New Relic key";
const DOPPLER_TOKEN: &str = "Doppler token";

const fn github(prefix: &'static [u8]) -> Pattern {
    checked(Check::Crc32, form(GITHUB_TOKEN, prefix, (36, 36), alnum, GITHUB))
}

const fn doppler(prefix: &'static [u8]) -> Pattern {
    form(DOPPLER_TOKEN, prefix, (40, 44), alnum, &["doppler.com"])
}

/// In any order but this: of two that match, the first counts.
static PATTERNS: &[Pattern] = &[
    checked(Check::PrivateKey, form("private key", b"-----BEGIN", (0, 0), alnum, &[])),
    weak(form(AWS_KEY_ID, b"AKIA", (16, 16), upper, AWS)),
    weak(form(AWS_KEY_ID, b"ASIA", (16, 16), upper, AWS)),
    weak(form("Google API key", b"AIza", (35, 35), url_letter, GOOGLE)),
    form("age secret key", b"AGE-SECRET-KEY-1", (58, 58), upper, &[]),
    form("Google OAuth client secret", b"GOCSPX-", (28, 28), url_letter, GOOGLE),
    form(NEW_RELIC_KEY, b"NRAK-", (27, 27), upper, &["newrelic.com"]),
    form("Postman key", b"PMAK-", (59, 59), url_letter, &["postman.com", "getpostman.com"]),
    form("SendGrid key", b"SG.", (66, 66), dotted, &["sendgrid.com"]),
    form("Databricks token", b"dapi", (32, 32), hex, &["databricks.com", "azuredatabricks.net"]),
    form("Docker Hub token", b"dckr_pat_", (27, 27), url_letter, &["docker.com", "docker.io"]),
    form("DigitalOcean token", b"dop_v1_", (64, 64), hex, DIGITAL_OCEAN),
    form("DigitalOcean token", b"doo_v1_", (64, 64), hex, DIGITAL_OCEAN),
    form("DigitalOcean token", b"dor_v1_", (64, 64), hex, DIGITAL_OCEAN),
    doppler(b"dp.pt."),
    doppler(b"dp.ct."),
    doppler(b"dp.sa."),
    doppler(b"dp.scim."),
    doppler(b"dp.audit."),
    form("Dynatrace token", b"dt0c01.", (89, 89), dotted, &["dynatrace.com"]),
    Pattern {
        check: Check::KubernetesToken,
        ..form("Kubernetes token", b"eyJ", (40, ANY), dotted, &[])
    },
    Pattern {
        check: Check::WebToken,
        ..weak(form("JSON web token", b"eyJ", (40, ANY), dotted, &[]))
    },
    form("Figma token", b"figd_", (40, ANY), url_letter, &["figma.com"]),
    github(b"ghp_"),
    github(b"gho_"),
    github(b"ghu_"),
    github(b"ghs_"),
    form(GITHUB_TOKEN, b"ghr_", (36, 76), alnum, GITHUB),
    form(GITHUB_TOKEN, b"github_pat_", (82, 82), word, GITHUB),
    form("GitLab token", b"glpat-", (20, ANY), dotted, GITLAB),
    form("GitLab token", b"glptt-", (40, 40), hex, GITLAB),
    form("GitLab token", b"glrt-", (20, ANY), dotted, GITLAB),
    form("Grafana token", b"glsa_", (41, 41), word, &["grafana.net", "grafana.com"]),
    form("Groq key", b"gsk_", (52, 52), alnum, &["groq.com"]),
    form("Hugging Face token", b"hf_", (34, 34), alnum, HUGGING_FACE),
    form("Vault token", b"hvs.", (90, ANY), url_letter, &["hashicorp.cloud"]),
    form("Vault token", b"hvb.", (90, ANY), url_letter, &["hashicorp.cloud"]),
    form("Linear key", b"lin_api_", (40, 40), alnum, &["linear.app"]),
    checked(Check::Crc32, form("npm token", b"npm_", (36, 36), alnum, NPM)),
    checked(Check::PyPi, form("PyPI token", b"pypi-AgE", (60, ANY), url_letter, PYPI)),
    form("RubyGems key", b"rubygems_", (48, 48), hex, &["rubygems.org"]),
    form(STRIPE_KEY, b"sk_live_", (24, ANY), alnum, STRIPE),
    form(STRIPE_KEY, b"rk_live_", (24, ANY), alnum, STRIPE),
    checked(Check::Anthropic, form("Anthropic key", b"sk-ant-", (80, ANY), url_letter, ANTHROPIC)),
    checked(Check::OpenAi, form(OPENAI_KEY, b"sk-", (40, ANY), url_letter, OPENAI)),
    form("Sourcegraph token", b"sgp_", (40, 57), word, &["sourcegraph.com"]),
    form("Shopify token", b"shpat_", (32, 32), hex, SHOPIFY),
    form("Shopify token", b"shpca_", (32, 32), hex, SHOPIFY),
    form("Shopify token", b"shppa_", (32, 32), hex, SHOPIFY),
    form("Shopify secret", b"shpss_", (32, 32), hex, SHOPIFY),
    form("Square token", b"sq0atp-", (22, 22), url_letter, &["squareup.com"]),
    form("Square secret", b"sq0csp-", (43, 43), url_letter, &["squareup.com"]),
    form("Tavily key", b"tvly-", (32, ANY), url_letter, &["tavily.com"]),
    form(SLACK_TOKEN, b"xoxb-", (30, ANY), url_letter, SLACK),
    form(SLACK_TOKEN, b"xoxp-", (30, ANY), url_letter, SLACK),
    form(SLACK_TOKEN, b"xoxe-", (40, ANY), url_letter, SLACK),
    form(SLACK_TOKEN, b"xapp-", (60, ANY), url_letter, SLACK),
    form("Adafruit key", b"aio_", (28, 28), alnum, &["adafruit.com"]),
    form("Atlassian token", b"ATATT3", (60, ANY), url_letter, &["atlassian.com", "atlassian.net"]),
    weak(form("crates.io token", b"cio", (32, 32), alnum, &["crates.io"])),
    form(DOPPLER_TOKEN, b"dp.st.", (40, ANY), dotted, &["doppler.com"]),
    form("Jina key", b"jina_", (60, 60), url_letter, &["jina.ai"]),
    form("Mapbox secret token", b"sk.eyJ", (60, ANY), dotted, &["mapbox.com"]),
    form(NEW_RELIC_KEY, b"NRAA-", (27, 27), hex, &["newrelic.com"]),
    form(NEW_RELIC_KEY, b"NRII-", (32, 32), url_letter, &["newrelic.com"]),
    weak(form("NuGet key", b"oy2", (43, 43), alnum, &["nuget.org"])),
    form("Perplexity key", b"pplx-", (48, 48), alnum, &["perplexity.ai"]),
    form("Pulumi token", b"pul-", (40, 40), hex, &["pulumi.com"]),
    form("Replicate token", b"r8_", (37, 37), alnum, &["replicate.com"]),
    form("SonarQube token", b"sqa_", (40, 40), hex, &["sonarcloud.io"]),
    form("SonarQube token", b"sqp_", (40, 40), hex, &["sonarcloud.io"]),
    form("SonarQube token", b"squ_", (40, 40), hex, &["sonarcloud.io"]),
    form("Supabase token", b"sbp_", (40, 40), hex, &["supabase.com"]),
    form("xAI key", b"xai-", (80, 80), alnum, &["x.ai"]),
    form("Google OAuth token", b"ya29.", (50, ANY), url_letter, GOOGLE),
];

/// Whether a pattern may begin with a byte.
static STARTS: [bool; 256] = {
    let mut starts = [false; 256];
    let mut at = 0;
    while at < PATTERNS.len() {
        starts[PATTERNS[at].prefix[0] as usize] = true;
        at += 1;
    }
    starts
};

/// All that stands in `text` and has the form of a credential. Shows each to `take`.
pub(super) fn look<'t>(text: &'t [u8], mut take: impl FnMut(Match<'t>)) {
    let mut at = 0;
    let mut before = b' ';
    while at < text.len() {
        let byte = text[at];
        let matched = if STARTS[usize::from(byte)] && !before.is_ascii_alphanumeric() {
            match_at(text, at)
        } else {
            None
        };
        match matched {
            Some(matched) => {
                at += matched.text.len();
                before = text[at - 1];
                take(matched);
            }
            None => {
                before = byte;
                at += 1;
            }
        }
    }
}

fn match_at(text: &[u8], at: usize) -> Option<Match<'_>> {
    let rest = &text[at..];
    PATTERNS.iter().find_map(|pattern| {
        let body = rest.strip_prefix(pattern.prefix)?;
        let (least, most) = pattern.letters;
        let letters =
            body.iter().take(most.saturating_add(1)).take_while(|b| (pattern.is_letter)(**b));
        let letters = letters.count();
        if letters < least || (most > 0 && letters > most) {
            return None;
        }
        // What has no letters of its own is looked at to the end.
        let body = &body[..if most == 0 { body.len() } else { letters }];
        let all = &rest[..pattern.prefix.len() + body.len()];
        if checks::is_in_its_place(pattern.name, &text[..at]) {
            return None;
        }
        let passed = checks::check(pattern.check, (all, body), pattern.kind)?;
        Some(Match { pattern, text: &all[..passed.length], kind: passed.kind })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, SensitiveKind)> {
        let mut found = Vec::new();
        look(text.as_bytes(), |one| found.push((one.pattern.name, one.kind)));
        found
    }

    /// Letters that look random and are no credential of anybody.
    const NOISE: &str = "Zq3vR8sLk2Wn5Yt7Hc9Jd4Fb6Gm1PxQaUeIoTyMrNwBzXcVlKjHgFdSa0987654321ZxCvBnMaSdFgHj\
                         Zq3vR8sLk2Wn5Yt7Hc9Jd4Fb6Gm1PxQaUeIoTyMrNwBzXcVl";

    #[test]
    fn a_checksum_makes_a_credential_certain_and_a_wrong_one_hardly_worth_telling() {
        let random = &NOISE[..30];
        let sum = checks::crc32_letters(random.as_bytes());
        let sum = str::from_utf8(&sum).unwrap();
        for (prefix, name) in
            [("ghp_", GITHUB_TOKEN), ("ghs_", GITHUB_TOKEN), ("npm_", "npm token")]
        {
            let token = format!("{prefix}{random}{sum}");
            assert_eq!(found(&token), [(name, SensitiveKind::Credential)]);
            assert_eq!(found(&format!("/a?b={token}&c")), [(name, SensitiveKind::Credential)]);
            let wrong = format!("{prefix}{random}000000");
            assert_eq!(found(&wrong), [(name, SensitiveKind::NamedValue)]);
            assert_eq!(found(&format!("x{token}")), [], "in the middle of a word");
            assert_eq!(found(&format!("{token}x")), [], "with a letter too many");
        }
    }

    #[test]
    fn forms_without_a_checksum_are_likely() {
        for (prefix, letters, name) in [
            ("xoxb-", 50, SLACK_TOKEN),
            ("sk_live_", 24, STRIPE_KEY),
            ("hf_", 34, "Hugging Face token"),
            ("glpat-", 20, "GitLab token"),
        ] {
            let token = format!("{prefix}{}", &NOISE[..letters]);
            assert_eq!(found(&token), [(name, SensitiveKind::LikelyCredential)], "{token}");
            let placeholder = format!("{prefix}{}", "x".repeat(letters));
            assert_eq!(found(&placeholder), [], "{placeholder}");
        }
    }

    #[test]
    fn an_access_key_id_in_a_signature_is_where_it_belongs() {
        let id = "AKIA2E0A8F3B244C9986";
        assert_eq!(found(&format!("k={id}")), [(AWS_KEY_ID, SensitiveKind::NamedValue)]);
        let signed = format!("X-Amz-Credential={id}%2F20240101%2Fus-east-1%2Fs3%2Faws4_request");
        assert_eq!(found(&signed), []);
        assert_eq!(found(&format!("AWSAccessKeyId={id}&Signature=abc")), []);
        assert_eq!(found("k=AKIAIOSFODNN7EXAMPLE"), [], "the documentation's own");
    }
}
