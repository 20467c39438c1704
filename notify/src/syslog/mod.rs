//! Alerts to a syslog receiver: one RFC 5424 message each, over UDP, TCP or TLS.

mod message;
mod outstanding;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::UdpSocket;
use tokio::time::timeout;

use crate::alert::Alert;
use crate::config::{Facility, RawSyslog, SyslogTransport, Wrong};
use crate::fields::Fields;
use crate::heartbeat::Beat;
use crate::link::{Failure, Tended};
use crate::text::{bounded, visible};
use crate::tls::{self, Identity};
use crate::transcript::note;
use message::Header;
use stream::StreamLink;

/// Longest message in a stream, in bytes. RFC 5425 (section 4.3.1) asks every receiver to take
/// 8192, and rsyslog and syslog-ng cut there by default.
const MAX_STREAM_BYTES: usize = 8192;

/// Longest message in a datagram, in bytes: what every receiver should take (RFC 5424, 6.1).
const MAX_DATAGRAM_BYTES: usize = 2048;

/// How long connecting, and writing one message, may take each.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longest HOSTNAME and APP-NAME (RFC 5424, section 6).
const MAX_HOSTNAME_BYTES: usize = 255;
const MAX_APP_NAME_BYTES: usize = 48;

/// A syslog target, checked.
#[derive(Debug, Clone)]
pub(crate) struct SyslogConfig {
    address: String,
    header: Header,
    transport: Transport,
}

#[derive(Debug, Clone)]
enum Transport {
    Udp,
    Tcp,
    Tls(ServerName<'static>, Arc<ClientConfig>),
}

impl SyslogConfig {
    pub(crate) fn check(raw: &RawSyslog) -> Result<Self, Wrong> {
        let host = host_of(&raw.address).ok_or_else(|| {
            let problem = format!("{:?} is not host:port, such as logs.example:6514", raw.address);
            Wrong::new("address", problem)
        })?;
        let header = Header {
            facility: raw.facility.unwrap_or(Facility::Local0) as u8,
            hostname: check_hostname(raw.hostname.as_deref())?,
            app_name: raw.app_name.clone().unwrap_or_else(|| "egret".to_owned()),
            enterprise_number: raw.enterprise_number.unwrap_or(32473),
            process_id: std::process::id(),
            format: raw.format.unwrap_or_default(),
        };
        if !is_field(&header.app_name, MAX_APP_NAME_BYTES) {
            let problem = format!("{:?} is not 1 to 48 printable ASCII bytes", header.app_name);
            return Err(Wrong::new("app_name", problem));
        }
        let transport = check_transport(raw, host)?;
        Ok(Self { address: raw.address.clone(), header, transport })
    }

    pub(crate) fn check_fields(&self, fields: &Fields) -> Result<(), Wrong> {
        self.header.check_fields(fields)
    }
}

fn check_transport(raw: &RawSyslog, host: &str) -> Result<Transport, Wrong> {
    let transport = raw.transport.unwrap_or(SyslogTransport::Tcp);
    if transport != SyslogTransport::Tls {
        let tls_only = [
            ("ca", raw.ca.is_some()),
            ("server_name", raw.server_name.is_some()),
            ("client_cert", raw.client_cert.is_some()),
            ("client_key", raw.client_key.is_some()),
        ];
        if let Some((key, _)) = tls_only.into_iter().find(|(_, is_given)| *is_given) {
            let problem = "has no effect without TLS: set transport = \"tls\", or remove it";
            return Err(Wrong::new(key, problem.to_owned()));
        }
    }
    match transport {
        SyslogTransport::Udp => Ok(Transport::Udp),
        SyslogTransport::Tcp => Ok(Transport::Tcp),
        SyslogTransport::Tls => {
            let (key, name) = match &raw.server_name {
                Some(name) => ("server_name", name.as_str()),
                None => ("address", host),
            };
            let name = ServerName::try_from(name.to_owned()).map_err(|_| {
                Wrong::new(key, format!("{name:?} is not a host name that a certificate can carry"))
            })?;
            let identity = Identity::of(raw.client_cert.as_deref(), raw.client_key.as_deref())?;
            let config = tls::client_config(raw.ca.as_deref(), identity)?;
            Ok(Transport::Tls(name, config))
        }
    }
}

/// The host in `host:port` or `[address]:port`. `None`: it is not that.
pub(crate) fn host_of(address: &str) -> Option<&str> {
    let (host, port) = address.rsplit_once(':')?;
    port.parse::<u16>().ok().filter(|port| *port > 0)?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?,
        None => host,
    };
    (!host.is_empty() && host.bytes().all(|b| b.is_ascii_graphic())).then_some(host)
}

fn check_hostname(given: Option<&str>) -> Result<String, Wrong> {
    match given {
        Some(name) if is_field(name, MAX_HOSTNAME_BYTES) => Ok(name.to_owned()),
        Some(name) => {
            let problem = format!("{name:?} is not 1 to 255 printable ASCII bytes");
            Err(Wrong::new("hostname", problem))
        }
        None => Ok(own_hostname()),
    }
}

/// This machine's name; the nil value `-` (RFC 5424, section 6.2.4) where it has none to show.
pub(crate) fn own_hostname() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if is_field(name, MAX_HOSTNAME_BYTES) { name.to_owned() } else { "-".to_owned() }
}

fn is_field(text: &str, max_bytes: usize) -> bool {
    (1..=max_bytes).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// The way to a syslog receiver.
pub(crate) struct SyslogLink {
    config: SyslogConfig,
    wire: Wire,
}

enum Wire {
    Udp(Option<UdpSocket>),
    Stream(StreamLink),
}

impl SyslogLink {
    pub(crate) fn new(config: SyslogConfig) -> Self {
        let wire = match &config.transport {
            Transport::Udp => Wire::Udp(None),
            Transport::Tcp => Wire::Stream(StreamLink::tcp(&config.address)),
            Transport::Tls(name, tls) => Wire::Stream(StreamLink::tls(&config.address, name, tls)),
        };
        Self { config, wire }
    }

    pub(crate) async fn send(&mut self, alert: &Alert) -> Result<(), Failure> {
        let message = self.config.header.message(alert, self.max_bytes());
        self.write(&message).await
    }

    pub(crate) async fn beat(&mut self, beat: &Beat) -> Result<(), Failure> {
        let message = self.config.header.heartbeat(beat, self.max_bytes());
        self.write(&message).await
    }

    /// The longest message that fits.
    fn max_bytes(&self) -> usize {
        match &self.wire {
            Wire::Udp(_) => MAX_DATAGRAM_BYTES,
            Wire::Stream(_) => MAX_STREAM_BYTES,
        }
    }

    async fn write(&mut self, message: &str) -> Result<(), Failure> {
        note(|| format!("> {message}"));
        let sent = match &mut self.wire {
            Wire::Udp(socket) => {
                send_datagram(socket, &self.config.address, message.as_bytes()).await
            }
            Wire::Stream(link) => {
                let frame = format!("{} {message}", message.len());
                link.send(frame.into_bytes()).await
            }
        };
        sent.map_err(|error| self.unreachable(&error))
    }

    /// Looks after what was written and may not have arrived.
    pub(crate) async fn tend(&mut self) -> Result<Tended, Failure> {
        match &mut self.wire {
            Wire::Udp(_) => Ok(Tended::Nothing),
            Wire::Stream(link) => link.tend().await.map_err(|error| self.unreachable(&error)),
        }
    }

    /// Whatever goes wrong is about the way to the receiver: it never looks at an alert.
    fn unreachable(&self, error: &std::io::Error) -> Failure {
        let address = &self.config.address;
        Failure::Unreachable(bounded(&format!("{address}: {error}"), 500, visible))
    }

    /// Ends the connection, over TLS with close_notify (RFC 5425, section 4.4).
    pub(crate) async fn close(&mut self) {
        match &mut self.wire {
            Wire::Udp(socket) => *socket = None,
            Wire::Stream(link) => link.close().await,
        }
    }
}

/// Sends one datagram. A refusal that the network reported for the last one shows up here, as an
/// error before this one is sent; then a new socket is made for the next attempt.
async fn send_datagram(
    socket: &mut Option<UdpSocket>,
    address: &str,
    datagram: &[u8],
) -> std::io::Result<()> {
    let sending = async {
        let open = match socket.take() {
            Some(open) => open,
            None => connected_socket(address).await?,
        };
        open.send(datagram).await?;
        Ok::<_, std::io::Error>(open)
    };
    *socket = Some(timeout(PATIENCE, sending).await??);
    Ok(())
}

async fn connected_socket(address: &str) -> std::io::Result<UdpSocket> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the name has no address");
    for peer in tokio::net::lookup_host(address).await? {
        let any = if peer.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        match socket.connect(peer).await {
            Ok(()) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_a_host_and_a_port() {
        assert_eq!(host_of("logs.example:6514"), Some("logs.example"));
        assert_eq!(host_of("[2001:db8::1]:514"), Some("2001:db8::1"));
        for wrong in ["logs.example", ":514", "a b:514", "logs:0", "logs:66000", "[::1:514"] {
            assert_eq!(host_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_own_hostname_is_a_valid_field() {
        assert!(is_field(&own_hostname(), MAX_HOSTNAME_BYTES));
    }
}
