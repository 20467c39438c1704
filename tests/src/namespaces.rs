//! Network namespaces: an executor, a gateway and the outside world on one machine.
//!
//! ```text
//! executor 10.77.0.2 ── 10.77.0.1 gateway 192.0.2.1 ── 192.0.2.2 outside
//!                                                       (answers for 203.0.113.0/24 and
//!                                                        198.51.100.0/24)
//! ```

use std::ffi::OsStr;
use std::process::{Command, Output};

/// The executor's address.
pub const EXECUTOR: &str = "10.77.0.2";
/// The gateway's address towards the executor.
pub const GATEWAY: &str = "10.77.0.1";
/// The gateway's interface towards the executor.
pub const GATEWAY_INTERFACE: &str = "inside";

/// Three namespaces with routes between them; deleted when dropped.
#[derive(Debug)]
pub struct Namespaces {
    /// Where the untrusted code runs.
    pub executor: String,
    /// Where its traffic passes.
    pub gateway: String,
    /// Where it goes.
    pub outside: String,
}

impl Namespaces {
    /// Makes them. The executor resolves names at the gateway.
    pub fn new(label: &str) -> Self {
        let id = std::process::id();
        let name = |role: &str| format!("egret-{label}-{role}-{id}");
        let spaces = Self { executor: name("x"), gateway: name("g"), outside: name("o") };
        let Self { executor, gateway, outside } = &spaces;
        for space in [executor, gateway, outside] {
            ip(&format!("netns add {space}"));
            ip(&format!("-n {space} link set lo up"));
        }
        ip(&format!("-n {gateway} link add beyond type veth peer name down0 netns {outside}"));
        give(gateway, "beyond", "192.0.2.1/24");
        give(outside, "down0", "192.0.2.2/24");
        spaces.connect_executor();
        ip(&format!("-n {gateway} route add default via 192.0.2.2"));
        ip(&format!("-n {outside} route add default via 192.0.2.1"));
        for range in ["203.0.113.0/24", "198.51.100.0/24"] {
            ip(&format!("-n {outside} route add local {range} dev lo"));
        }
        spaces.run(gateway, "sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
        let resolver = format!("/etc/netns/{executor}");
        std::fs::create_dir_all(&resolver).expect("root may write below /etc/netns");
        std::fs::write(format!("{resolver}/resolv.conf"), format!("nameserver {GATEWAY}\n"))
            .expect("root may write below /etc/netns");
        spaces
    }

    /// Lays the cable between executor and gateway.
    pub fn connect_executor(&self) {
        let Self { executor, gateway, .. } = self;
        ip(&format!(
            "-n {executor} link add up0 type veth peer name {GATEWAY_INTERFACE} netns {gateway}"
        ));
        give(executor, "up0", "10.77.0.2/24");
        give(gateway, GATEWAY_INTERFACE, "10.77.0.1/24");
        ip(&format!("-n {executor} route add default via {GATEWAY}"));
    }

    /// Takes the cable away, with its interfaces.
    pub fn disconnect_executor(&self) {
        ip(&format!("-n {} link delete {GATEWAY_INTERFACE}", self.gateway));
    }

    /// One ping of the executor's to the gateway; whether it is answered does not matter.
    pub fn ping_gateway(&self) {
        let mut ping = self.command(&self.executor, "ping");
        let _ = ping.args(["-c1", "-W1", GATEWAY]).output();
    }

    /// A command that runs in the namespace `space`.
    pub fn command(&self, space: &str, program: impl AsRef<OsStr>) -> Command {
        command_in(space, program)
    }

    /// Runs a program in the namespace `space` to its end.
    pub fn run(&self, space: &str, program: &str, args: &[&str]) -> Output {
        let output = self.command(space, program).args(args).output().expect("ip is installed");
        assert!(
            output.status.success(),
            "{program} {args:?} in {space}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for space in [&self.executor, &self.gateway, &self.outside] {
            let _ = Command::new("ip").args(["netns", "del", space]).output();
        }
        let _ = std::fs::remove_dir_all(format!("/etc/netns/{}", self.executor));
    }
}

/// A command that runs in the network namespace `space`.
pub fn command_in(space: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", space]).arg(program);
    // Machines may preset certificate authorities; the test's own is given on the line.
    for variable in ["SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(variable);
    }
    command
}

/// Gives an interface its address, and brings it up.
fn give(space: &str, interface: &str, address: &str) {
    ip(&format!("-n {space} address add {address} dev {interface}"));
    ip(&format!("-n {space} link set {interface} up"));
}

fn ip(args: &str) {
    let output =
        Command::new("ip").args(args.split_whitespace()).output().expect("ip is installed");
    assert!(output.status.success(), "ip {args}: {}", String::from_utf8_lossy(&output.stderr));
}
