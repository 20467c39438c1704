//! A mapping as it is written in the configuration, and what can be wrong with it.

use std::collections::BTreeMap;

use egret_event::SmolStr;
use serde::{Deserialize, Serialize};

use super::field::Field;
use super::formats::{self, Format};
use super::json::Tree;
use super::pattern::{Pattern, own_notation};
use super::time::{Unit, offset};
use super::{Condition, Mapping, Shape, Units, shipped};

/// A `[[collector.mappings]]` entry as written: what the lines of a proxy's log say where.
///
/// One of `pattern`, `nginx`, `haproxy`, `apache`, `squid` and `json` tells the shape of the
/// lines, unless it is taken over from another by `like`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawMapping {
    /// Its name, by which sources refer to it as their `dialect`.
    pub name: SmolStr,
    /// A shipped mapping whose keys hold where this one has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub like: Option<SmolStr>,
    /// The line in our own notation: `{field}`, and `{}` for what is skipped. Of several the first
    /// that fits counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<OneOrMore>,
    /// The line as nginx's `log_format` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nginx: Option<String>,
    /// The line as HAProxy's `log-format` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub haproxy: Option<String>,
    /// The line as Apache's `LogFormat` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apache: Option<String>,
    /// The line as Squid's `logformat` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub squid: Option<String>,
    /// Lines are JSON objects: where each field is, by JSON pointer. Of several the first that
    /// has a value counts.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<Field, OneOrMore>,
    /// Units of `time`, `start` and `duration` where they are numbers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub units: BTreeMap<Field, Unit>,
    /// What is so in every line that does not say it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fixed: BTreeMap<Field, String>,
    /// Lines of which one of these holds were refused by the proxy. Each names fields and the
    /// values that all of them must have: `*` at either end stands for any text, `""` for absence.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<BTreeMap<Field, Vec<String>>>,
    /// Lines of which this does not hold tell of no egress.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<Field, Vec<String>>,
    /// How far times without a zone are ahead of UTC, as `+02:00`. UTC if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
}

/// One text, or several.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// Several, the best first.
    Several(Vec<String>),
}

impl OneOrMore {
    fn as_slice(&self) -> &[String] {
        match self {
            Self::One(pointer) => std::slice::from_ref(pointer),
            Self::Several(pointers) => pointers,
        }
    }
}

/// The key that holds something that cannot be used, and what is wrong with it.
pub(crate) type Problem = (String, String);

impl RawMapping {
    /// Compiles it.
    ///
    /// # Errors
    /// The first key that cannot be used.
    pub(crate) fn compile(&self) -> Result<Mapping, Problem> {
        let whole = match &self.like {
            Some(like) => self.over(
                &shipped(like)
                    .ok_or_else(|| ("like".to_owned(), format!("{like:?} is no shipped mapping")))?
                    .raw,
            ),
            None => self.clone(),
        };
        let (shape, duration) = whole.shape()?;
        let zone = whole.zone.as_deref().map(|zone| {
            let wrong = format!("{zone:?} is no offset from UTC; write it as \"+02:00\"");
            offset(zone.as_bytes()).ok_or(("zone".to_owned(), wrong))
        });
        let mapping = Mapping {
            units: whole.units(duration)?,
            fixed: whole
                .fixed
                .iter()
                .map(|(field, text)| (*field, text.as_bytes().into()))
                .collect(),
            blocked: whole.blocked.iter().map(condition).collect(),
            only: condition(&whole.only),
            ahead_s: zone.transpose()?.unwrap_or(0),
            shape,
            raw: whole,
        };
        mapping.raw.check(&mapping)?;
        Ok(mapping)
    }

    /// This one's keys, and those of `base` where it has none.
    fn over(&self, base: &Self) -> Self {
        let has_shape = self.formats().count() > 0 || !self.json.is_empty();
        let shape = if has_shape { self } else { base };
        let mut whole = Self {
            name: self.name.clone(),
            like: None,
            zone: self.zone.clone().or_else(|| base.zone.clone()),
            ..shape.clone()
        };
        whole.units = joined(&base.units, &self.units);
        whole.fixed = joined(&base.fixed, &self.fixed);
        whole.only = joined(&base.only, &self.only);
        whole.blocked = if self.blocked.is_empty() { &base.blocked } else { &self.blocked }.clone();
        whole
    }

    /// The lines of text that are described, by key.
    fn formats(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        let texts: [(_, Option<&[String]>); 5] = [
            ("pattern", self.pattern.as_ref().map(OneOrMore::as_slice)),
            ("nginx", self.nginx.as_ref().map(std::slice::from_ref)),
            ("haproxy", self.haproxy.as_ref().map(std::slice::from_ref)),
            ("apache", self.apache.as_ref().map(std::slice::from_ref)),
            ("squid", self.squid.as_ref().map(std::slice::from_ref)),
        ];
        texts.into_iter().filter_map(|(key, texts)| Some((key, texts?)))
    }

    /// The shape of the lines, and the unit of durations in it.
    fn shape(&self) -> Result<(Shape, Unit), Problem> {
        let json = (!self.json.is_empty()).then_some("json");
        let mut keys = self.formats().map(|(key, _)| key).chain(json);
        let (first, second) = (keys.next(), keys.next());
        drop(keys);
        if let (Some(first), Some(second)) = (first, second) {
            let problem = format!("is given beside {first:?}; a line has one shape");
            return Err((second.to_owned(), problem));
        }
        match self.formats().next() {
            Some((key, text)) => text_shape(key, text).map_err(|problem| (key.to_owned(), problem)),
            None if json.is_some() => Ok((Shape::Json(self.tree()?), Unit::Ms)),
            None => {
                let problem = "is missing, and so are nginx, haproxy, apache, squid and json: \
                               one of them tells what a line looks like (or like = \"…\")";
                Err(("pattern".to_owned(), problem.to_owned()))
            }
        }
    }

    fn tree(&self) -> Result<Tree, Problem> {
        let mut tree = Tree::default();
        for (field, pointers) in &self.json {
            for (rank, pointer) in pointers.as_slice().iter().enumerate() {
                let rank = u8::try_from(rank).unwrap_or(u8::MAX - 1);
                let key = || format!("json.{}", name_of(*field));
                tree.add(pointer, *field, rank).map_err(|problem| (key(), problem))?;
            }
        }
        Ok(tree)
    }

    fn units(&self, duration: Unit) -> Result<Units, Problem> {
        let mut units = Units { time: Unit::S, start: Unit::S, duration };
        for (field, unit) in &self.units {
            let place = match field {
                Field::Time => &mut units.time,
                Field::Start => &mut units.start,
                Field::Duration => &mut units.duration,
                _ => {
                    let problem = "has no unit; only time, start and duration do".to_owned();
                    return Err((format!("units.{}", name_of(*field)), problem));
                }
            };
            *place = *unit;
        }
        Ok(units)
    }

    /// Checks that a record can come of it.
    fn check(&self, mapping: &Mapping) -> Result<(), Problem> {
        let mapped: Vec<Field> = match &mapping.shape {
            Shape::Text(patterns) => patterns.iter().flat_map(Pattern::fields).collect(),
            Shape::Json(_) => self.json.keys().copied().collect(),
        };
        let has = |field: &Field| mapped.contains(field) || self.fixed.contains_key(field);
        let needed: [(&[Field], &str); 3] = [
            (&[Field::Time, Field::Start], "time or start"),
            (&[Field::Client], "client"),
            (
                &[
                    Field::Url,
                    Field::Request,
                    Field::Host,
                    Field::Sni,
                    Field::Server,
                    Field::ServerAndPort,
                ],
                "url, request, host, sni or server",
            ),
        ];
        for (fields, names) in needed {
            if !fields.iter().any(has) {
                let problem =
                    format!("nothing is mapped to {names}; without it a line tells nothing");
                return Err(("name".to_owned(), problem));
            }
        }
        let rules =
            self.blocked.iter().enumerate().map(|(n, rule)| (format!("blocked[{n}]"), rule));
        for (key, rule) in rules.chain([("only".to_owned(), &self.only)]) {
            if let Some(field) = rule.keys().find(|field| !has(field)) {
                let name = name_of(*field);
                let problem = format!("nothing is mapped to {name}, so that this never holds");
                return Err((format!("{key}.{name}"), problem));
            }
        }
        match self.blocked.iter().position(BTreeMap::is_empty) {
            Some(n) => Err((format!("blocked[{n}]"), "is empty, and would hold of all".to_owned())),
            None => Ok(()),
        }
    }
}

fn text_shape(key: &str, texts: &[String]) -> Result<(Shape, Unit), String> {
    let mut patterns = Vec::with_capacity(texts.len());
    let mut unit = Unit::Ms;
    for text in texts {
        let Format { pieces, duration } = match key {
            "nginx" => formats::nginx(text)?,
            "haproxy" => formats::haproxy(text)?,
            "apache" => formats::apache(text)?,
            "squid" => formats::squid(text)?,
            _ => Format { pieces: own_notation(text)?, duration: Unit::Ms },
        };
        patterns.push(Pattern::of(pieces)?);
        unit = duration;
    }
    Ok((Shape::Text(patterns), unit))
}

fn condition(rule: &BTreeMap<Field, Vec<String>>) -> Condition {
    let bytes = |values: &Vec<String>| values.iter().map(|value| value.as_bytes().into()).collect();
    rule.iter().map(|(field, values)| (*field, bytes(values))).collect()
}

fn joined<V: Clone>(base: &BTreeMap<Field, V>, over: &BTreeMap<Field, V>) -> BTreeMap<Field, V> {
    base.iter().chain(over).map(|(field, value)| (*field, value.clone())).collect()
}

/// A field as it is written in the configuration.
fn name_of(field: Field) -> String {
    serde_json::to_string(&field).unwrap_or_default().trim_matches('"').to_owned()
}
