//! Makes sure that there is a dashboard to embed, and tells the OpenAPI derive how types of other
//! crates are written.

use std::path::Path;
use std::{env, fs};

/// Where the dashboard's build puts its files, seen from this crate.
const DIST: &str = "../dashboards/dist";

/// Marks the placeholder, so that a release build can tell it from the real page.
const MARK: &str = "egret-placeholder";

/// What is embedded when the dashboard was not built: this crate must build without Node.
const PLACEHOLDER: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="egret-placeholder" content="true">
<title>Egret</title>
</head>
<body>
<h1>Egret</h1>
<p>This build carries no dashboard. Build it with <code>make dashboard</code>, then build egret
again. The API works without it: see <a href="/openapi.json">/openapi.json</a>.</p>
</body>
</html>
"#;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={DIST}");
    println!("cargo::rerun-if-env-changed=EGRET_ALLOW_PLACEHOLDER");
    utoipa_config::Config::new()
        .alias_for("SmolStr", "String")
        .alias_for("IpAddr", "String")
        .write_to_file();

    let index = Path::new(DIST).join("index.html");
    if !index.exists()
        && let Err(error) = fs::create_dir_all(DIST).and_then(|()| fs::write(&index, PLACEHOLDER))
    {
        println!("cargo::error=cannot write the placeholder page {}: {error}", index.display());
        return;
    }
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let allowed = env::var("EGRET_ALLOW_PLACEHOLDER").is_ok_and(|value| value == "1");
    let placeholder = fs::read_to_string(&index).is_ok_and(|page| page.contains(MARK));
    if release && placeholder && !allowed {
        println!(
            "cargo::error=a release needs the dashboard: run `make dashboard` first, or set \
             EGRET_ALLOW_PLACEHOLDER=1 to build without it"
        );
    }
}
