//! A webhook receiver that answers as a scenario says.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::outbox::HeldClock;

/// The secret shared with the receivers.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What came in.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Request {
    /// A whole request.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8(text.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<_> = head.lines().map(str::to_owned).collect();
        let line = lines.remove(0);
        Self {
            line,
            headers: lines.iter().map(|line| header(line)).collect(),
            body: body.to_owned(),
        }
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        &self.headers.iter().find(|(key, _)| key == name).unwrap().1
    }

    /// The type and the incident's id: `incident.opened`, `9f…`.
    pub(crate) fn told(&self) -> (String, String) {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&body["type"]), text(&body["data"]["incident"]["id"]))
    }
}

/// What goes out: an HTTP response, or `None` for nothing at all.
pub(crate) type Answer = Option<String>;

pub(crate) fn status(line: &str) -> Answer {
    Some(format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n"))
}

/// A receiver on loopback.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) requests: mpsc::UnboundedReceiver<Request>,
}

impl Receiver {
    /// Starts one on a free port. `answers` is asked once per request.
    pub(crate) async fn start(answers: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, None, answers)
    }

    /// Starts one on a listener, with TLS if a configuration is given.
    pub(crate) fn on(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        answers: impl FnMut(&Request) -> Answer + Send + 'static,
    ) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, requests) = mpsc::unbounded_channel();
        tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), seen, answers));
        Self { address, requests }
    }

    /// The next request.
    pub(crate) async fn next(&mut self) -> Request {
        self.requests.recv().await.unwrap()
    }

    /// The next request, which comes only as time passes.
    pub(crate) async fn next_in_time(&mut self, clock: &HeldClock) -> Request {
        let mut request = None;
        clock
            .pass_until("a request comes", || {
                request = self.requests.try_recv().ok();
                request.is_some()
            })
            .await;
        request.unwrap()
    }

    /// The lines of a target named `name` that posts here.
    pub(crate) fn target(&self, name: &str) -> String {
        target(name, &format!("http://{}/", self.address))
    }
}

/// The lines of a webhook target.
pub(crate) fn target(name: &str, url: &str) -> String {
    format!(
        "[[targets]]\nkind = 'webhook'\nname = '{name}'\nurl = '{url}'\n\
         secret_file = 'DIR/secret'\nallow_private = true\n"
    )
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    seen: mpsc::UnboundedSender<Request>,
    answers: impl FnMut(&Request) -> Answer + Send + 'static,
) {
    let answers = Arc::new(std::sync::Mutex::new(answers));
    while let Ok((tcp, _)) = listener.accept().await {
        let (tls, seen, answers) = (tls.clone(), seen.clone(), answers.clone());
        tokio::spawn(async move {
            let answer = move |request: &Request| (*answers.lock().unwrap())(request);
            match tls {
                None => serve(tcp, seen, answer).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(tcp).await {
                        serve(stream, seen, answer).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    seen: mpsc::UnboundedSender<Request>,
    mut answer: impl FnMut(&Request) -> Answer,
) {
    let mut stream = BufReader::new(stream);
    while let Some(request) = read(&mut stream).await {
        let answer = answer(&request);
        // The test may have ended.
        _ = seen.send(request);
        match answer {
            Some(response) if stream.write_all(response.as_bytes()).await.is_ok() => {}
            Some(_) => return,
            None => std::future::pending().await,
        }
    }
}

async fn read(stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let mut request = Request {
        line,
        headers: lines.iter().map(|line| header(line)).collect(),
        body: String::new(),
    };
    let length = request.headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    request.body = String::from_utf8(body).unwrap();
    Some(request)
}

fn header(line: &str) -> (String, String) {
    let (name, value) = line.split_once(": ").unwrap();
    (name.to_ascii_lowercase(), value.to_owned())
}
