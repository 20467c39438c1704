//! The programs that speak: their user agents, and how their TLS libraries introduce themselves.

use super::wire::tls;

/// A program inside an executor.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) agent: &'static str,
    pub(crate) tls: &'static tls::Client,
}

macro_rules! programs {
    ($($name:ident: $agent:literal, $tls:ident;)*) => {
        $(pub(crate) static $name: Program = Program { agent: $agent, tls: &tls::$tls };)*
    };
}

programs! {
    PIP: "pip/24.2 {\"ci\":null,\"implementation\":{\"name\":\"CPython\",\"version\":\"3.12.6\"}}", PYTHON;
    REQUESTS: "python-requests/2.32.3", PYTHON;
    MODEL_HUB: "unknown/None; hf_hub/0.25.1; python/3.12.6", PYTHON;
    NPM: "npm/10.8.2 node/v22.9.0 linux x64 workspaces/false", NODE;
    UNDICI: "undici", NODE;
    CARGO: "cargo/1.82.0 (8f40fc59f 2024-08-21)", CURL;
    APT: "Debian APT-HTTP/1.3 (2.6.1)", CURL;
    GIT: "git/2.46.0", CURL;
    CURL: "curl/8.9.1", CURL;
    AGENT: "anthropic-sdk-python/0.39.0", PYTHON;
    AWS: "Boto3/1.35.54 md/Botocore#1.35.54 ua/2.0 os/linux lang/python#3.12.6", PYTHON;
    GO: "Go-http-client/2.0", GO;
    TELEMETRY: "OTel-OTLP-Exporter-Go/1.31.0", GO;
    BROWSER: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", BROWSER;
}
