//! A TCP or TLS connection to a syslog receiver, made when it is needed and kept.
//!
//! Syslog has no acknowledgement, but TCP has: a frame is kept until the receiver's kernel has it. Where the connection
//! breaks before that (the receiver lost power, a firewall forgot the connection, a cable was pulled), it is written
//! again to the next one. What the kernel has and the receiver had not read is beyond knowing.

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
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::PATIENCE;
use super::outstanding::outstanding;
use crate::link::Tended;

/// Idle connections are probed this often, so that a receiver which vanished without a word, or
/// a firewall that forgot the connection, is known before the next alert is due.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long the end of a connection may take.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Data that is not acknowledged for so long ends the connection.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(30);

/// Frames that are kept until they are acknowledged: at most 4 MiB.
const MOST_KEPT: usize = 512;

/// Time between two looks at whether all is acknowledged, while that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Most reads of unasked-for bytes per message. A syslog receiver sends none but TLS tickets.
const MAX_READS: usize = 64;

/// The way to a receiver over a stream.
pub(super) struct StreamLink {
    address: String,
    tls: Option<(ServerName<'static>, TlsConnector)>,
    open: Option<Connection>,
    /// What was written to the connection, or to the one before it, and may not have arrived.
    kept: Vec<Vec<u8>>,
}

struct Connection {
    stream: Stream,
    /// Whether what was written is still to arrive after the connection's end; otherwise it is written to the next
    /// one, and must not arrive by both.
    ends_in_order: bool,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl StreamLink {
    pub(super) fn tcp(address: &str) -> Self {
        Self { address: address.to_owned(), tls: None, open: None, kept: Vec::new() }
    }

    pub(super) fn tls(
        address: &str,
        name: &ServerName<'static>,
        config: &Arc<ClientConfig>,
    ) -> Self {
        let tls = Some((name.clone(), TlsConnector::from(Arc::clone(config))));
        Self { address: address.to_owned(), tls, open: None, kept: Vec::new() }
    }

    /// Writes one frame. The connection is out of `self` meanwhile: should this be given up half
    /// way, it is closed, and no frame ever follows half of another.
    pub(super) async fn send(&mut self, frame: Vec<u8>) -> io::Result<()> {
        let sending = async {
            let mut connection = self.usable().await?;
            if self.kept.len() >= MOST_KEPT {
                connection.wait_until_acknowledged().await?;
                self.kept.clear();
            }
            connection.write(&frame).await?;
            connection.check_open().await?;
            Ok::<_, io::Error>(connection)
        };
        self.open = Some(in_time(sending).await?);
        self.kept.push(frame);
        Ok(())
    }

    /// Looks after what may not have arrived: forgets it once the receiver has it, and writes it again where the
    /// connection is broken.
    pub(super) async fn tend(&mut self) -> io::Result<Tended> {
        if self.kept.is_empty() {
            return Ok(Tended::Nothing);
        }
        self.open = self.still_open().await?;
        if self.open.is_none() && !self.kept.is_empty() {
            self.open = Some(in_time(self.usable()).await?);
        }
        Ok(Tended::Reached)
    }

    /// The connection, if its peer has not ended it. What the receiver has by now is forgotten, also where it has.
    async fn still_open(&mut self) -> io::Result<Option<Connection>> {
        let Some(mut connection) = self.open.take() else { return Ok(None) };
        let is_open = connection.check_open().await.is_ok();
        self.forget(connection.outstanding()?);
        Ok(is_open.then_some(connection))
    }

    /// Forgets frames, the oldest first, of which nothing can be among the bytes that are not acknowledged: inside TLS
    /// these are more than the frames'.
    fn forget(&mut self, outstanding: usize) {
        let mut behind: usize = self.kept.iter().map(Vec::len).sum();
        let there = self.kept.iter().take_while(|frame| {
            behind -= frame.len();
            behind >= outstanding
        });
        let there = there.count();
        self.kept.drain(..there);
    }

    /// The connection, if it is still open, or a new one, to which all was written that may not have arrived.
    async fn usable(&mut self) -> io::Result<Connection> {
        if let Some(connection) = self.still_open().await? {
            return Ok(connection);
        }
        let mut connection = self.connect().await?;
        for frame in &self.kept {
            connection.write(frame).await?;
        }
        Ok(connection)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let tcp = TcpStream::connect(&self.address).await?;
        tcp.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 4);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
        SockRef::from(&tcp).set_tcp_user_timeout(Some(ACKNOWLEDGED_WITHIN))?;
        let stream = match &self.tls {
            None => Stream::Plain(tcp),
            Some((name, connector)) => {
                Stream::Tls(Box::new(connector.connect(name.clone(), tcp).await?))
            }
        };
        Ok(Connection { stream, ends_in_order: false })
    }

    pub(super) async fn close(&mut self) {
        // A connection that cannot be asked has nothing left to say.
        if let Some(connection) = self.still_open().await.ok().flatten() {
            connection.close().await;
        }
        if !self.kept.is_empty() {
            let (address, alerts) = (&self.address, self.kept.len());
            tracing::warn!(%address, alerts, "the last alerts may not have arrived");
        }
    }
}

/// What it comes to, if that does not take too long.
async fn in_time<T>(future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, future).await.map_err(|_| {
        let problem = format!("not connected and written within {} s", PATIENCE.as_secs());
        io::Error::new(io::ErrorKind::TimedOut, problem)
    })?
}

impl Connection {
    async fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Plain(tcp) => write_all(tcp, frame).await,
            Stream::Tls(tls) => write_all(tls.as_mut(), frame).await,
        }
    }

    /// Bytes that the receiver's kernel has not acknowledged.
    fn outstanding(&self) -> io::Result<usize> {
        outstanding(self.tcp())
    }

    async fn wait_until_acknowledged(&self) -> io::Result<()> {
        while self.outstanding()? > 0 {
            sleep(LOOK_EVERY).await;
        }
        Ok(())
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
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Tls(tls) => tls.get_ref().0,
        }
    }

    /// Reads until nothing is left: TLS tickets, or a close_notify, which is the end.
    async fn read_what_is_there(&mut self) -> io::Result<()> {
        self.tcp().readable().await?;
        match &mut self.stream {
            Stream::Plain(tcp) => drain(tcp).await,
            Stream::Tls(tls) => drain(tls.as_mut()).await,
        }
    }

    async fn close(mut self) {
        self.ends_in_order = true;
        let ending = async {
            match &mut self.stream {
                Stream::Plain(tcp) => tcp.shutdown().await,
                Stream::Tls(tls) => tls.shutdown().await,
            }
        };
        // The alerts are out; a peer that does not wait for our goodbye changes nothing.
        _ = timeout(CLOSE_PATIENCE, ending).await;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.ends_in_order {
            // The kernel forgets what is not acknowledged, in place of sending it on and on.
            _ = SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO));
        }
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
