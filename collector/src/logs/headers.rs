//! The headers of a file that is entered in the middle: without them its columns have no names.

use std::fs::File;
use std::io::{self, Read};

use super::lines::{Line, Lines};
use super::reader::Reader;
use super::signs::is_header;
use crate::unpack::{FromBegin, Packing, Unpacked};

/// Tells `reader` the headers in the first `until` bytes of what `file` holds, without moving its
/// reading position.
///
/// Logs without headers cost a look at the first line. In others a later header may have changed
/// the columns, so all up to there is looked through once.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn recall(file: &File, until: u64, reader: &mut Reader) -> io::Result<()> {
    let mut head = Unpacked::new(FromBegin::of(file), Packing::of(file)?)?.take(until);
    let mut lines = Lines::starting_at(0);
    while lines.fill(&mut head)? > 0 {
        while let Some(line) = lines.next() {
            let Line::Whole { offset, bytes, .. } = line else { continue };
            if is_header(bytes) {
                // A broken header is complained of when it is read for the first time.
                let _ = reader.read(bytes);
            } else if offset == 0 {
                return Ok(());
            }
        }
    }
    Ok(())
}
