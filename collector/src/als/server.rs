//! The server: connections and streams, each bounded in number, size and patience.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use h2::server::SendResponse;
use h2::{Reason, RecvStream, server};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{interval, timeout};

use super::messages::Messages;

/// The one call that is answered.
const PATH: &str = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs";

/// Most connections at once: each Envoy has one for each of its worker threads.
const MAX_CONNECTIONS: usize = 128;

/// Most streams of a connection: one for each kind of log.
const MAX_STREAMS: u32 = 8;

/// How long a connection may take to become one of HTTP/2.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of a request's headers; Envoy sends a few hundred.
const MAX_HEADER_BYTES: u32 = 16 * 1024;

/// How often whoever waits is woken though nothing came.
const TICK: Duration = Duration::from_millis(50);

/// gRPC's status codes.
const OK: HeaderValue = HeaderValue::from_static("0");
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");
const UNIMPLEMENTED: HeaderValue = HeaderValue::from_static("12");

/// What the server has to say.
pub(super) enum Told {
    /// A message of a stream.
    Message(IpAddr, Vec<u8>),
    /// A stream sent something too long, and was ended.
    TooLong,
    /// Time has passed.
    Tick,
}

/// Serves until nobody takes what is told.
pub(super) async fn serve(listener: TcpListener, out: mpsc::Sender<Told>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut ticks = interval(TICK);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, from)) = accepted else {
                    // No descriptors left, say: not to be tried again at once.
                    tokio::time::sleep(TICK).await;
                    continue;
                };
                let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                    tracing::warn!(%from, limit = MAX_CONNECTIONS, "too many connections: refused");
                    continue;
                };
                let out = out.clone();
                tokio::spawn(async move {
                    if let Err(error) = connection(stream, from.ip().to_canonical(), out).await {
                        tracing::debug!(%from, %error, "a connection ended");
                    }
                    drop(place);
                });
            }
            _ = ticks.tick() => {
                if out.send(Told::Tick).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    from: IpAddr,
    out: mpsc::Sender<Told>,
) -> Result<(), h2::Error> {
    let mut builder = server::Builder::new();
    builder.max_concurrent_streams(MAX_STREAMS).max_header_list_size(MAX_HEADER_BYTES);
    let handshake = builder.handshake::<_, bytes::Bytes>(stream);
    let Ok(connection) = timeout(HANDSHAKE_PATIENCE, handshake).await else { return Ok(()) };
    let mut connection = connection?;
    while let Some(request) = connection.accept().await {
        let (request, respond) = request?;
        let out = out.clone();
        tokio::spawn(async move {
            if let Err(error) = call(request, respond, from, out).await {
                tracing::debug!(%from, %error, "a stream ended");
            }
        });
    }
    Ok(())
}

/// Answers one call.
async fn call(
    request: Request<RecvStream>,
    mut respond: SendResponse<bytes::Bytes>,
    from: IpAddr,
    out: mpsc::Sender<Told>,
) -> Result<(), h2::Error> {
    let mut response = Response::new(());
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(http::header::CONTENT_TYPE, grpc);
    if request.uri().path() != PATH {
        response.headers_mut().insert("grpc-status", UNIMPLEMENTED);
        respond.send_response(response, true)?;
        return Ok(());
    }
    let mut answer = respond.send_response(response, false)?;
    let status = match take_all(request.into_body(), from, &out).await? {
        End::Finished => OK,
        End::TooLong => RESOURCE_EXHAUSTED,
        End::NobodyListens => {
            answer.send_reset(Reason::CANCEL);
            return Ok(());
        }
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", status);
    answer.send_trailers(trailers)
}

enum End {
    Finished,
    TooLong,
    NobodyListens,
}

/// Takes the messages of a stream. While nobody has room for them, nothing more is asked for.
async fn take_all(
    mut body: RecvStream,
    from: IpAddr,
    out: &mpsc::Sender<Told>,
) -> Result<End, h2::Error> {
    let mut messages = Messages::default();
    while let Some(chunk) = body.data().await {
        let chunk = chunk?;
        messages.push(&chunk);
        loop {
            let told = match messages.next_message() {
                Ok(Some(message)) => Told::Message(from, message.to_vec()),
                Ok(None) => break,
                Err(_) => {
                    let _ = out.send(Told::TooLong).await;
                    return Ok(End::TooLong);
                }
            };
            if out.send(told).await.is_err() {
                return Ok(End::NobodyListens);
            }
        }
        body.flow_control().release_capacity(chunk.len())?;
    }
    Ok(End::Finished)
}
