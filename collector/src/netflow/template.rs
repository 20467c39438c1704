//! Templates: the layouts of records, as exporters tell them.

use super::fields::{Meaning, meaning};
use super::wire::{Malformed, Version, number, word};

/// The length that says that a field tells its own (RFC 7011, section 7). H3C uses it in v9 too.
const VARIABLE: u16 = u16::MAX;

/// The layout of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// The fields that mean something; all of them where any is of variable length.
    fields: Vec<Field>,
    /// Bytes of a record, or the least there can be.
    record_bytes: usize,
    is_variable: bool,
    /// Whether its records are about the exporter and not flows.
    pub(super) is_options: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Field {
    meaning: Meaning,
    bytes: u16,
    /// Where it begins, in records without fields of variable length.
    offset: u32,
}

/// What a template record says: an id, and its layout or that it holds no more.
pub(super) type Told = (u16, Option<Template>);

impl Template {
    /// How much memory it takes, in fields.
    pub(super) fn cost(&self) -> usize {
        self.fields.len() + 8
    }

    /// Cuts the next record off `rest` and hands its fields to `take`. Returns its length; `None`
    /// where only padding is left, or the record is cut short.
    pub(super) fn read<'a>(
        &self,
        rest: &'a [u8],
        mut take: impl FnMut(Meaning, &'a [u8]),
    ) -> Option<usize> {
        if rest.len() < self.record_bytes {
            return None;
        }
        if self.is_variable {
            return self.read_variable(rest, take);
        }
        for field in &self.fields {
            let start = field.offset as usize;
            if let Some(bytes) = rest.get(start..start + usize::from(field.bytes)) {
                take(field.meaning, bytes);
            }
        }
        Some(self.record_bytes)
    }

    fn read_variable<'a>(
        &self,
        rest: &'a [u8],
        mut take: impl FnMut(Meaning, &'a [u8]),
    ) -> Option<usize> {
        let mut at = 0;
        for field in &self.fields {
            let mut bytes = usize::from(field.bytes);
            if field.bytes == VARIABLE {
                bytes = usize::from(*rest.get(at)?);
                at += 1;
                if bytes == 255 {
                    bytes = usize::from(word(rest, at)?);
                    at += 2;
                }
            }
            let content = rest.get(at..at + bytes)?;
            at += bytes;
            if field.meaning != Meaning::Other {
                take(field.meaning, content);
            }
        }
        Some(at)
    }
}

/// Reads the templates of a set. Those before a damaged one are good.
pub(super) fn read_set(
    version: Version,
    is_options: bool,
    mut rest: &[u8],
    mut take: impl FnMut(Told),
) -> Result<(), Malformed> {
    // Less than a template's header is padding.
    while rest.len() >= 4 && rest.iter().any(|byte| *byte != 0) {
        let (told, length) = read_one(version, is_options, rest)?;
        take(told);
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

fn read_one(version: Version, is_options: bool, rest: &[u8]) -> Result<(Told, usize), Malformed> {
    let cut = Malformed("template cut short");
    let id = word(rest, 0).ok_or(cut)?;
    let second = usize::from(word(rest, 2).ok_or(cut)?);
    if id < 256 {
        return Err(Malformed("template with the id of a set"));
    }
    let (count, header) = match (version, is_options) {
        (Version::Ipfix, _) if second == 0 => return Ok(((id, None), 4)),
        (_, false) => (second, 4),
        (Version::Ipfix, true) => (second, 6),
        // In v9 options templates tell bytes of their scope and of their options.
        (_, true) => {
            let options = usize::from(word(rest, 4).ok_or(cut)?);
            ((second + options) / 4, 6)
        }
    };
    let scopes = match (version, is_options) {
        (_, false) | (Version::Ipfix, _) => 0,
        (_, true) => second / 4,
    };
    let mut maker = Maker::default();
    let mut at = header;
    for n in 0..count {
        let field = word(rest, at).ok_or(cut)?;
        let bytes = word(rest, at + 2).ok_or(cut)?;
        at += 4;
        let mut enterprise = 0;
        if version == Version::Ipfix && field & 0x8000 != 0 {
            enterprise = number(rest.get(at..at + 4).ok_or(cut)?) as u32;
            at += 4;
        }
        let id = if version == Version::Ipfix { field & 0x7fff } else { field };
        // Scopes of v9 are numbered by a list of their own.
        let meaning = if n < scopes { Meaning::Other } else { meaning(version, enterprise, id) };
        maker.add(meaning, bytes);
    }
    Ok(((id, Some(maker.finish(is_options)?)), at))
}

/// Puts a template together, field by field.
#[derive(Default)]
struct Maker {
    fields: Vec<Field>,
    record_bytes: usize,
    is_variable: bool,
}

impl Maker {
    fn add(&mut self, meaning: Meaning, bytes: u16) {
        let offset = self.record_bytes as u32;
        if bytes == VARIABLE {
            self.is_variable = true;
            self.record_bytes += 1;
        } else {
            self.record_bytes += usize::from(bytes);
        }
        self.fields.push(Field { meaning, bytes, offset });
    }

    fn finish(mut self, is_options: bool) -> Result<Template, Malformed> {
        if self.record_bytes == 0 {
            return Err(Malformed("template of records without content"));
        }
        if !self.is_variable {
            self.fields.retain(|field| field.meaning != Meaning::Other && field.bytes > 0);
        }
        self.fields.shrink_to_fit();
        let Self { fields, record_bytes, is_variable } = self;
        Ok(Template { fields, record_bytes, is_variable, is_options })
    }
}
