//! A receiver of alerts by HTTP, for answers that no real one gives when it is asked to.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// A receiver on loopback that answers every request alike.
#[derive(Debug)]
pub struct Receiver {
    /// Where it is: `http://127.0.0.1:9000/`.
    pub url: String,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Receiver {
    /// Starts one that answers with this status line, such as `410 Gone`.
    pub fn start(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("it has an address"));
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bodies);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(body) = answer(stream, status) {
                    shared.lock().unwrap_or_else(PoisonError::into_inner).push(body);
                }
            }
        });
        Self { url, bodies }
    }

    /// The bodies of all requests so far.
    pub fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Reads the one request of a connection, and answers. `None`: it broke off.
fn answer(mut stream: TcpStream, status: &str) -> Option<String> {
    let mut text = Vec::new();
    let mut bytes = [0; 4096];
    let body = loop {
        let read = stream.read(&mut bytes).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&bytes[..read]);
        if let Some((_, body)) = whole(&text) {
            break body;
        }
    };
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    Some(body)
}

/// The head and the body of a request, once all of it is there.
pub fn whole(text: &[u8]) -> Option<(String, String)> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    (body.len() >= length.parse().ok()?).then(|| (head.to_owned(), body.to_owned()))
}
