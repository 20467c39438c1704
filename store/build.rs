//! Tells the OpenAPI derive how types of other crates are written, so that no field has to.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "openapi")]
    utoipa_config::Config::new()
        .alias_for("SmolStr", "String")
        .alias_for("IpAddr", "String")
        .write_to_file();
}
