//! A certificate authority of the test's own, made by the openssl program.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate authority in a folder.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// PEM file of the certificate.
    pub certificate: PathBuf,
    /// PEM file of the private key.
    pub key: PathBuf,
}

impl Authority {
    /// Makes one.
    pub fn new(folder: &Path) -> Self {
        let folder = folder.to_owned();
        openssl(
            &folder,
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
             -keyout ca.key -out ca.pem -subj /CN=egret-test-authority \
             -addext basicConstraints=critical,CA:TRUE -addext keyUsage=keyCertSign,cRLSign",
        );
        Self { folder }
    }

    /// PEM file of its own certificate.
    pub fn root(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// A certificate for these names (`DNS:example.org`, `IP:127.0.0.1`).
    pub fn issue(&self, file: &str, names: &[String]) -> Certificate {
        let extensions = format!("subjectAltName={}\n", names.join(","));
        std::fs::write(self.folder.join("ext"), extensions).expect("the folder can be written");
        openssl(
            &self.folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
                 -keyout {file}.key -out {file}.csr -subj /CN={file}"
            ),
        );
        openssl(
            &self.folder,
            &format!(
                "x509 -req -in {file}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
                 -extfile ext -out {file}.pem"
            ),
        );
        Certificate {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        }
    }
}

fn openssl(folder: &Path, args: &str) {
    let output = Command::new("openssl")
        .args(args.split_whitespace())
        .current_dir(folder)
        .output()
        .expect("openssl is installed");
    assert!(output.status.success(), "openssl {args}: {}", String::from_utf8_lossy(&output.stderr));
}
