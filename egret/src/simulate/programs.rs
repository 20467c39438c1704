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
    PIP: "pip/26.3 {\"ci\":null,\"implementation\":{\"name\":\"CPython\",\"version\":\"3.11.7\"}}", PYTHON;
    REQUESTS: "python-requests/2.32.3", PYTHON;
    MODEL_HUB: "unknown/None; hf_hub/0.25.1; python/3.12.6", PYTHON;
    NPM: "npm/11.19.1 node/v20.20.2 linux x64 workspaces/false", NPM;
    UNDICI: "undici", NODE;
    CARGO: "cargo/1.95.0 (f2d3ce0bd 2026-03-21)", CARGO;
    APT: "Debian APT-HTTP/1.3 (2.6.1)", CURL;
    MAVEN: "Apache-Maven/3.8.7 (Java 17.0.15; Linux 6.1.0)", JAVA;
    GIT: "git/2.46.0", CURL;
    CURL: "curl/8.9.1", CURL;
    AGENT: "anthropic-sdk-python/0.39.0", PYTHON;
    AWS: "Boto3/1.35.54 md/Botocore#1.35.54 ua/2.0 os/linux lang/python#3.12.6", PYTHON;
    GO_COMMAND: "Go-http-client/2.0", GO_COMMAND;
    GO: "Go-http-client/2.0", GO;
    TELEMETRY: "OTel-OTLP-Exporter-Go/1.31.0", GO;
    BROWSER: "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36", BROWSER;
}
