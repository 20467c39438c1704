//! The tools that are measured beside ours, each as its manual says for reading a file.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{Measured, measure};

/// tcpdump, reading and writing every packet.
pub(crate) fn tcpdump(capture: &Path) -> Result<Measured> {
    measure(|| {
        let mut command = Command::new("tcpdump");
        command.arg("-r").arg(capture).args(["-w", "/dev/null"]);
        Ok(command)
    })
}

/// nfpcapd, from packets to its own flow files; it decodes no DNS, TLS or HTTP.
pub(crate) fn nfpcapd(capture: &Path, folder: &Path) -> Result<Measured> {
    let out = folder.join("nfpcapd");
    std::fs::create_dir_all(&out).context("cannot make a folder for nfpcapd")?;
    measure(|| {
        let mut command = Command::new("nfpcapd");
        command.arg("-r").arg(capture).arg("-l").arg(&out);
        Ok(command)
    })
}
