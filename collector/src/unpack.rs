//! Compressed files: known by their first bytes, and unpacked as a stream, so that neither their
//! size nor what they grow to takes memory.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use flate2::read::MultiGzDecoder;

/// Ends of file names whose content is not text any more.
const COMPRESSED: [&str; 6] = [".gz", ".xz", ".bz2", ".zst", ".lz4", ".zip"];

/// Those of them that can be read.
const UNPACKED: [&str; 2] = [".gz", ".zst"];

/// First bytes of a gzip member (RFC 1952) with the only method there is.
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];

/// First bytes of a zstd frame (RFC 8878).
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A window of at most 2^27 bytes, 128 MiB: what zstd itself takes without being told more, and
/// all that its levels up to 19 use.
const MAX_WINDOW_LOG: u32 = 27;

/// Compressed bytes read at a time.
const READ_BYTES: usize = 64 * 1024;

/// What an input is packed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// One or more gzip members.
    Gzip,
    /// One or more zstd frames.
    Zstd,
}

impl Packing {
    /// What `file` is packed by, without moving its reading position. `None`: it is not packed.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn of(file: &File) -> io::Result<Option<Self>> {
        let mut magic = [0; 4];
        let mut filled = 0;
        while filled < magic.len() {
            match file.read_at(&mut magic[filled..], filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Self::by_magic(&magic[..filled]))
    }

    fn by_magic(magic: &[u8]) -> Option<Self> {
        if magic.starts_with(&GZIP_MAGIC) {
            Some(Self::Gzip)
        } else if magic.starts_with(&ZSTD_MAGIC) {
            Some(Self::Zstd)
        } else {
            None
        }
    }
}

/// Whether a file is compressed by its name, in a way that can be read or not.
pub(crate) fn is_compressed_by_name(name: &str) -> bool {
    COMPRESSED.iter().any(|ending| name.ends_with(ending))
}

/// Whether a file is compressed by its name in a way that can be read.
pub(crate) fn is_unpacked_by_name(name: &str) -> bool {
    UNPACKED.iter().any(|ending| name.ends_with(ending))
}

/// What a file holds, unpacked if it is packed.
pub(crate) enum Unpacked<R: Read> {
    /// It is not packed.
    Plain(R),
    /// gzip, all members one after the other.
    Gzip(Box<MultiGzDecoder<BufReader<R>>>),
    /// zstd, all frames one after the other.
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<R>>>),
}

impl<R: Read> Unpacked<R> {
    /// Unpacks `input`, which is packed by `packing`.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub(crate) fn new(input: R, packing: Option<Packing>) -> io::Result<Self> {
        let buffered = |input| BufReader::with_capacity(READ_BYTES, input);
        Ok(match packing {
            None => Self::Plain(input),
            Some(Packing::Gzip) => Self::Gzip(Box::new(MultiGzDecoder::new(buffered(input)))),
            Some(Packing::Zstd) => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(buffered(input))?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Self::Zstd(Box::new(decoder))
            }
        })
    }
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(input) => input.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
            Self::Zstd(decoder) => decoder.read(buffer),
        }
    }
}

impl<R: Read> Unpacked<R> {
    /// What it is unpacked from.
    pub(crate) fn packed(&self) -> &R {
        match self {
            Self::Plain(input) => input,
            Self::Gzip(decoder) => decoder.get_ref().get_ref(),
            Self::Zstd(decoder) => decoder.get_ref().get_ref(),
        }
    }
}

/// A file read from its begin by a position of its own, so that others can read it too.
pub(crate) struct FromBegin<'a> {
    file: &'a File,
    at: u64,
}

impl<'a> FromBegin<'a> {
    pub(crate) fn of(file: &'a File) -> Self {
        Self { file, at: 0 }
    }
}

impl Read for FromBegin<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

/// The first `limit` bytes of what `file` holds, or all if that is less. Of a packed file that is
/// damaged, what comes before the damage.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn head(file: &File, limit: u64) -> io::Result<Vec<u8>> {
    let packing = Packing::of(file)?;
    let mut head = Vec::new();
    let read = Unpacked::new(FromBegin::of(file), packing)?.take(limit).read_to_end(&mut head);
    match read {
        Err(error) if packing.is_none() => Err(error),
        _ => Ok(head),
    }
}

/// A file that counts what was read of it, as it is on disk.
pub(crate) struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Counted {
    pub(crate) fn new(file: File, read: Arc<AtomicU64>) -> Self {
        Self { file, read }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Relaxed);
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod testing {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// `content` as one gzip member.
    pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    /// `content` as one zstd frame.
    pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
        zstd::encode_all(content, 1).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{gzip, zstd};
    use super::*;

    fn file_of(content: &[u8]) -> File {
        let path = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(path.path(), content).unwrap();
        File::open(path.path()).unwrap()
    }

    #[test]
    fn what_a_file_holds_is_the_same_however_it_is_packed() {
        let (one, two) = (b"one\n".as_slice(), b"two\n".as_slice());
        for content in
            [[one, two].concat(), [gzip(one), gzip(two)].concat(), [zstd(one), zstd(two)].concat()]
        {
            assert_eq!(head(&file_of(&content), 100).unwrap(), b"one\ntwo\n");
            assert_eq!(head(&file_of(&content), 3).unwrap(), b"one");
        }
    }

    #[test]
    fn a_bomb_is_unpacked_only_as_far_as_it_is_read() {
        let bomb = gzip(&vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 20);
        assert_eq!(head(&file_of(&bomb), 1_000).unwrap(), vec![0; 1_000]);
    }

    #[test]
    fn of_a_damaged_file_there_is_what_comes_before_the_damage() {
        let whole = gzip(&[b'x'; 100_000]);
        let cut = head(&file_of(&whole[..whole.len() - 9]), 1 << 20).unwrap();
        assert!(!cut.is_empty() && cut.iter().all(|byte| *byte == b'x'));
        assert_eq!(head(&file_of(b"\x28\xb5\x2f\xfd and no more"), 100).unwrap(), b"");
    }

    #[test]
    fn what_only_begins_like_a_packed_file_is_taken_as_it_is() {
        for content in [&b""[..], b"\x1f", b"\x1f\x8b", b"\x28\xb5\x2f"] {
            assert_eq!(Packing::of(&file_of(content)).unwrap(), None);
            assert_eq!(head(&file_of(content), 9).unwrap(), content);
        }
    }
}
