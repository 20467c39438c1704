//! A TCP or TLS connection to a syslog receiver, made when it is needed and kept.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;

/// Idle connections are probed this often, so that a receiver which vanished without a word, or
/// a firewall that forgot the connection, is known before the next alert is due.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long the end of a connection may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Most reads of unasked-for bytes per message. A syslog receiver sends none but TLS tickets.
const MAX_READS: usize = 64;

/// The way to a receiver over a stream.
pub(super) struct StreamLink {
    address: String,
    tls: Option<(ServerName<'static>, TlsConnector)>,
    open: Option<Connection>,
}

enum Connection {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl StreamLink {
    pub(super) fn tcp(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None, open: None }
    }

    pub(super) fn tls(
        address: &str,
        name: &ServerName<'static>,
        config: &Arc<ClientConfig>,
    ) -> Self {
        let tls = Some((name.clone(), TlsConnector::from(Arc::clone(config))));
        Self { address: address.to_owned(), tls, open: None }
    }

    /// Writes one frame. The connection is out of `self` meanwhile: should this be given up half
    /// way, it is closed, and no frame ever follows half of another.
    pub(super) async fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let open = self.open.take();
        let sending = async {
            let mut connection = match still_open(open).await {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            connection.write(frame).await?;
            connection.check_open().await?;
            Ok::<_, io::Error>(connection)
        };
        let sent = timeout(PATIENCE, sending).await.map_err(|_| {
            let problem = format!("not connected and written within {} s", PATIENCE.as_secs());
            io::Error::new(io::ErrorKind::TimedOut, problem)
        })?;
        self.open = Some(sent?);
        Ok(())
    }

    async fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
        match &self.tls {
            None => Ok(Connection::Plain(tcp)),
            Some((name, connector)) => {
                let tls = connector.connect(name.clone(), tcp).await?;
                Ok(Connection::Tls(Box::new(tls)))
            }
        }
    }

    pub(super) async fn close(&mut self) {
        if let Some(connection) = self.open.take() {
            connection.close().await;
        }
    }
}

/// The connection, unless its peer ended it.
async fn still_open(connection: Option<Connection>) -> Option<Connection> {
    let mut connection = connection?;
    connection.check_open().await.ok()?;
    Some(connection)
}

impl Connection {
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => write_all(tcp, frame).await,
            Self::Tls(tls) => write_all(tls.as_mut(), frame).await,
        }
    }

    /// Fails where the peer has ended the connection.
    ///
    /// The kernel is asked directly: what tokio knows of a socket may be older than the peer's
    /// FIN, and a message written after that is lost without an error.
    async fn check_open(&mut self) -> io::Result<()> {
        for _ in 0..MAX_READS {
            let mut byte = [MaybeUninit::uninit()];
            match SockRef::from(self.tcp()).peek(&mut byte) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
                Ok(0) => return Err(closed()),
                Ok(_) => self.read_what_is_there().await?,
            }
        }
        Ok(())
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Reads until nothing is left: TLS tickets, or a close_notify, which is the end.
    async fn read_what_is_there(&mut self) -> io::Result<()> {
        self.tcp().readable().await?;
        match self {
            Self::Plain(tcp) => drain(tcp).await,
            Self::Tls(tls) => drain(tls.as_mut()).await,
        }
    }

    async fn close(self) {
        let ending = async {
            match self {
                Self::Plain(mut tcp) => tcp.shutdown().await,
                Self::Tls(mut tls) => tls.shutdown().await,
            }
        };
        // The alerts are out; a peer that does not wait for our goodbye changes nothing.
        _ = timeout(CLOSE_PATIENCE, ending).await;
    }
}

async fn write_all(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    stream.write_all(frame).await?;
    stream.flush().await
}

async fn drain(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
    let mut bytes = [0; 512];
    for _ in 0..MAX_READS {
        let mut buffer = ReadBuf::new(&mut bytes);
        let read =
            poll_fn(|context| match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => Poll::Ready(None),
            });
        match read.await {
            None => break,
            Some(result) => result?,
        }
        if buffer.filled().is_empty() {
            return Err(closed());
        }
    }
    Ok(())
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the receiver closed the connection")
}
