//! Which kind of input a file is, by its content.

use std::fs::File;
use std::path::Path;

use crate::logs::{self, Line, LineProblem, Lines};
use crate::netflow;
use crate::{CollectError, Dialect, unpack};

/// What a file was recognized as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recognized {
    /// A packet capture, pcap or pcapng.
    Capture,
    /// A log of this dialect.
    Log(Dialect),
    /// NetFlow or IPFIX: bare export datagrams, or a capture that holds them and little else.
    Netflow,
}

/// First four bytes of a capture: pcap in both byte orders, with micro- and nanoseconds, and a
/// pcapng section header.
const CAPTURE_MAGICS: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// How much of a file is looked at: a log whose first lines are damaged is still a log.
const MAX_LINES: usize = 64;
const MAX_BYTES: u64 = 256 * 1024;

/// Recognizes a file by its content.
///
/// # Errors
/// When the file cannot be read, is empty, or is of no kind that egret reads.
pub fn recognize(path: &Path) -> Result<Recognized, CollectError> {
    let head = head_of(path, MAX_BYTES)?;
    if head.is_empty() {
        return Err(CollectError::Read {
            path: path.to_string_lossy().into_owned(),
            reason: "the file is empty, so its kind cannot be told (name the dialect to follow a \
                     log that has no lines yet)"
                .to_owned(),
        });
    }
    if is_capture(&head) {
        let is_export = netflow::is_capture_of(path);
        return Ok(if is_export { Recognized::Netflow } else { Recognized::Capture });
    }
    if netflow::is_bare(&head) {
        return Ok(Recognized::Netflow);
    }
    let unrecognized = || CollectError::Unrecognized { path: path.to_string_lossy().into_owned() };
    dialect_of(&head).map(Recognized::Log).ok_or_else(unrecognized)
}

/// The first bytes of what a file holds, at most `bytes`: unpacked, if it is compressed.
pub(crate) fn head_of(path: &Path, bytes: u64) -> Result<Vec<u8>, CollectError> {
    let failed = |error: std::io::Error| CollectError::reading(path, &error);
    let file = File::open(path).map_err(failed)?;
    unpack::head(&file, bytes).map_err(failed)
}

/// Whether a file that begins with `head` is a capture.
pub(crate) fn is_capture(head: &[u8]) -> bool {
    head.first_chunk().is_some_and(|magic| CAPTURE_MAGICS.contains(magic))
}

/// The dialect of the first line that can be read.
fn dialect_of(head: &[u8]) -> Option<Dialect> {
    let mut lines = Lines::starting_at(0);
    let mut rest = head;
    let mut looked_at = 0;
    loop {
        // Reading from memory cannot fail.
        let read = lines.fill(&mut rest).unwrap_or(0);
        while let Some(line) = lines.next() {
            looked_at += 1;
            if let Some(dialect) = readable_as(&line) {
                return Some(dialect);
            }
            if looked_at == MAX_LINES {
                return None;
            }
        }
        if read == 0 {
            return lines.rest().and_then(|line| readable_as(&line));
        }
    }
}

fn readable_as(line: &Line<'_>) -> Option<Dialect> {
    let Line::Whole { bytes, .. } = line else { return None };
    let dialect = logs::looks_like(bytes);
    match logs::Reader::new(Some(dialect)).read(bytes) {
        Err(LineProblem::Malformed(_)) => None,
        Ok(_) | Err(LineProblem::NoDestination | LineProblem::Note | LineProblem::Duplicate) => {
            Some(dialect)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unpack::testing::{gzip, zstd};

    const NATIVE: &[u8] = b"1795451434.428      1 10.20.0.17 TCP_MISS/200 1246 GET \
        http://up.example/ - HIER_DIRECT/192.0.2.1 -\n";

    fn recognized(content: &[u8]) -> Result<Recognized, CollectError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        std::fs::write(&path, content).unwrap();
        recognize(&path)
    }

    #[test]
    fn captures_are_known_by_their_magic() {
        for magic in CAPTURE_MAGICS {
            let content = [&magic[..], &[0; 20]].concat();
            assert_eq!(recognized(&content).unwrap(), Recognized::Capture);
        }
    }

    #[test]
    fn logs_are_known_by_their_first_readable_line() {
        let late = [b"half a line\n\n\xff\xfe\n", NATIVE].concat();
        let without_end = &NATIVE[..NATIVE.len() - 1];
        for (content, dialect) in [
            (NATIVE, Dialect::SquidNative),
            (&late, Dialect::SquidNative),
            (without_end, Dialect::SquidNative),
            (
                b"1795451434.428 1 10.20.0.17:9 TCP_MISS/200 up=1 down=2 GET http://a/ -:-\n",
                Dialect::SquidEgret,
            ),
            (
                b"{\"start_time\":\"2026-01-31T09:30:00.123Z\",\"authority\":\"a\",\
                  \"downstream_remote_address\":\"10.20.0.17:9\"}\n",
                Dialect::EnvoyJson,
            ),
            (b"{\"event_type\":\"stats\",\"stats\":{}, \"timestamp\":\"2026-01-31T09:30:00Z\"}\n", Dialect::SuricataEve),
            (b"StartTime,Dur,Proto\n", Dialect::Argus),
            (b"#separator \\x09\n#path\tdhcp\n", Dialect::ZeekTsv),
            (b"{\"ts\":1.5,\"uid\":\"C1\",\"name\":\"odd\"}\n", Dialect::ZeekJson),
        ] {
            assert_eq!(recognized(content).unwrap(), Recognized::Log(dialect));
        }
    }

    #[test]
    fn compressed_files_are_known_by_what_they_hold() {
        let capture = [&CAPTURE_MAGICS[0][..], &[0; 20]].concat();
        for pack in [gzip, zstd] {
            assert_eq!(recognized(&pack(NATIVE)).unwrap(), Recognized::Log(Dialect::SquidNative));
            assert_eq!(recognized(&pack(&capture)).unwrap(), Recognized::Capture);
            assert!(recognized(&pack(b"hello\n")).is_err());
        }
    }

    #[test]
    fn what_is_neither_is_refused_with_a_reason() {
        for content in [&b"hello\n"[..], b"{\"a\":1}\n", b"\0\0\0\0", &[b'x'; 300_000]] {
            let error = recognized(content).unwrap_err();
            assert!(matches!(error, CollectError::Unrecognized { .. }), "{error}");
        }
        let error = recognized(b"").unwrap_err().to_string();
        assert!(error.contains("the file is empty"), "{error}");
    }

    #[test]
    fn unreadable_files_are_named_with_the_cause() {
        let folder = tempfile::tempdir().unwrap();
        let missing = recognize(&folder.path().join("nothing")).unwrap_err().to_string();
        assert!(missing.contains("nothing\": no such file"), "{missing}");
        let directory = recognize(folder.path()).unwrap_err().to_string();
        assert!(directory.contains("is a directory"), "{directory}");
    }
}
