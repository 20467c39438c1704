//! The field mapping: what a team's own fields are called in its receiver, and where in the alert their values are.
//!
//! A receiver has a place for a field of somebody's own in one of two ways: a document takes a name such as
//! `labels.team` as a path ([`Named::put_into`]), a line or a list takes it as it is ([`Named::words`]). Each kind of
//! target says which names it has a place for (`check_fields`); what that is, is known at the start, not when the
//! first alert is due.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::alert::{Alert, host, outcome, rule, rule_name, sentence, whole};
use crate::config::Wrong;
use crate::try_out::specimen;

/// Most fields of a target, longest name in bytes, and most parts of it.
const MAX_FIELDS: usize = 32;
const MAX_NAME_BYTES: usize = 128;
const MAX_PARTS: usize = 8;

/// The key of the fields that are mapped, and of those whose values never change.
const MAPPED: &str = "fields";
const CONSTANT: &str = "constants";

/// The fields of a target, checked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(Arc<[Field]>);

/// A field: its name in the receiver, and its value.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) value: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A path in Egret's own document ([`document`]).
    At(String),
    /// The configuration.
    Constant(Value),
}

impl Field {
    /// The error that this field's name or value has a problem.
    pub(crate) fn wrong(&self, problem: &str) -> Wrong {
        let key = match self.value {
            Source::At(_) => MAPPED,
            Source::Constant(_) => CONSTANT,
        };
        Wrong::new(key, format!("{:?} {problem}", self.name))
    }
}

impl Fields {
    /// # Errors
    /// A name that is none, or a path that leads to nothing in any alert.
    pub(crate) fn check(
        mapped: Option<&BTreeMap<String, String>>,
        constants: Option<&BTreeMap<String, Value>>,
    ) -> Result<Self, Wrong> {
        let mapped = mapped.into_iter().flatten();
        let mapped = mapped.map(|(name, path)| (name, Source::At(path.clone())));
        let constants = constants.into_iter().flatten();
        let constants = constants.map(|(name, value)| (name, Source::Constant(value.clone())));
        let fields = mapped.chain(constants);
        let fields = fields.map(|(name, value)| Field { name: name.as_str().into(), value });
        let fields: Vec<Field> = fields.collect();
        let Some(first) = fields.first() else { return Ok(Self::default()) };
        if fields.len() > MAX_FIELDS {
            return Err(first.wrong(&format!("and the others are more than {MAX_FIELDS} fields")));
        }
        let document = document(&specimen());
        for (at, field) in fields.iter().enumerate() {
            let parts = field.name.split('.').count();
            let has_empty = field.name.split('.').any(str::is_empty);
            if has_empty || field.name.len() > MAX_NAME_BYTES || parts > MAX_PARTS {
                return Err(field.wrong(&format!(
                    "is no name: 1 to {MAX_PARTS} parts with a dot between them, {MAX_NAME_BYTES} bytes at most"
                )));
            }
            if fields[..at].iter().any(|other| other.name == field.name) {
                return Err(field.wrong(&format!("stands in {MAPPED} too: remove one")));
            }
            match &field.value {
                Source::At(path) => {
                    leads_somewhere(&document, path).map_err(|problem| field.wrong(&problem))?;
                }
                Source::Constant(Value::Array(_) | Value::Object(_)) => {
                    return Err(field.wrong("is not one text, number, true or false"));
                }
                Source::Constant(_) => {}
            }
        }
        Ok(Self(fields.into()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Field> {
        self.0.iter()
    }

    /// # Errors
    /// The first of them that `is_name` does not take for one: `what` says what would be.
    pub(crate) fn check_names(
        &self,
        is_name: impl Fn(&str) -> bool,
        what: &str,
    ) -> Result<(), Wrong> {
        match self.iter().find(|field| !is_name(&field.name)) {
            Some(field) => Err(field.wrong(&format!("has no place here: {what}"))),
            None => Ok(()),
        }
    }

    /// # Errors
    /// The first of them that has no place in a document such as this one.
    pub(crate) fn check_places(&self, mut document: Value) -> Result<(), Wrong> {
        let mut lacks_place = |field: &&Field| put(&mut document, &field.name, json!("x")).is_err();
        match self.iter().find(|field| lacks_place(field)) {
            Some(field) => Err(field.wrong("has no place: a part of it is no object there")),
            None => Ok(()),
        }
    }

    /// The fields that are the same in all alerts.
    pub(crate) fn constants(&self) -> Named {
        let constant = |field: &Field| match &field.value {
            Source::At(_) => None,
            Source::Constant(value) => Some((field.name.clone(), value.clone())),
        };
        Named(self.iter().filter_map(constant).collect())
    }

    /// The fields of an alert. What the alert does not know has no field.
    pub(crate) fn of(&self, alert: &Alert) -> Named {
        if self.0.is_empty() {
            return Named::default();
        }
        let document = document(alert);
        let value = |field: &Field| match &field.value {
            Source::At(path) => find(&document, path).filter(|value| !value.is_null()).cloned(),
            Source::Constant(value) => Some(value.clone()),
        };
        Named(self.iter().filter_map(|field| Some((field.name.clone(), value(field)?))).collect())
    }
}

/// The fields of one alert or heartbeat, each with its value.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named(Vec<(Arc<str>, Value)>);

impl Named {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| **other == *name)
    }

    /// Puts each where its name leads to, in place of what is there.
    pub(crate) fn put_into(&self, document: &mut Value) {
        self.put_with(document, |_, value| value.clone());
    }

    /// The same, with each value in the form that `form` gives one of this name.
    pub(crate) fn put_with(&self, document: &mut Value, form: impl Fn(&str, &Value) -> Value) {
        for (name, value) in &self.0 {
            // Whether there is a place was asked at the start, of a document of the same form.
            if put(document, name, form(name, value)).is_err() {
                tracing::debug!(field = %name, "the field has no place in this document");
            }
        }
    }

    /// Each as a name and a text.
    pub(crate) fn words(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(name, value)| (&**name, words(value)))
    }
}

/// A value as a text: what a list holds with commas between, an object as JSON.
pub(crate) fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if !items.iter().any(|item| item.is_array() || item.is_object()) => {
            items.iter().map(words).collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    }
}

/// What paths lead into: the alert as Egret's own format has it below `data`, and what is said of it in words.
fn document(alert: &Alert) -> Value {
    let incident = &alert.change.incident;
    let mut document = whole(alert);
    let more = json!({
        "message": sentence(alert),
        "rule": { "id": rule(incident), "name": rule_name(incident) },
        "outcome": outcome(incident),
        "host": host(incident),
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document
}

/// The value at a path: names, and numbers in lists.
fn find<'a>(document: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(document, |value, part| match value {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}

/// Whether a path can lead to a value in documents such as this one, in which lists may be empty and values absent.
fn leads_somewhere(document: &Value, path: &str) -> Result<(), String> {
    let mut value = document;
    for part in path.split('.') {
        value = match value {
            Value::Object(object) => match object.get(part) {
                Some(value) => value,
                None => {
                    let known: Vec<_> = object.keys().map(String::as_str).collect();
                    let known = known.join(", ");
                    return Err(format!(
                        "comes from {path:?}, but there is no {part:?}, only {known}"
                    ));
                }
            },
            Value::Array(items) => match part.parse::<usize>() {
                Ok(_) => items.first().unwrap_or(&Value::Null),
                Err(_) => {
                    return Err(format!(
                        "comes from {path:?}, but in a list {part:?} is no number: 0 is the first"
                    ));
                }
            },
            // Absent in the specimen: nobody can say what would be below.
            Value::Null => return Ok(()),
            _ => return Err(format!("comes from {path:?}, but nothing is below {part:?}'s place")),
        };
    }
    Ok(())
}

/// There is no object to hold a part of the name.
struct NoPlace;

fn put(document: &mut Value, name: &str, value: Value) -> Result<(), NoPlace> {
    let mut place = document;
    for part in name.split('.') {
        if place.is_null() {
            *place = Value::Object(Map::new());
        }
        let object = place.as_object_mut().ok_or(NoPlace)?;
        place = object.entry(part).or_insert(Value::Null);
    }
    *place = value;
    Ok(())
}

#[cfg(test)]
mod tests;
