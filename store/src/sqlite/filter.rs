//! WHERE clauses put together from fixed texts; what a caller says travels as parameters only.

use rusqlite::types::{ToSql, Value};

/// Conditions joined by AND, with the values of their `?` marks in order.
#[derive(Default)]
pub(super) struct Filter {
    sql: String,
    values: Vec<Value>,
}

impl Filter {
    /// Adds a condition; it must hold as many `?` as there are values.
    pub(super) fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(if self.sql.is_empty() { " WHERE " } else { " AND " });
        self.sql.push('(');
        self.sql.push_str(condition);
        self.sql.push(')');
        self.values.extend(values);
    }

    /// Adds a condition on one value where there is one.
    pub(super) fn and_if(&mut self, condition: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.and(condition, [value.into()]);
        }
    }

    /// Adds "`column` is one of"; no values, no condition.
    pub(super) fn and_any(&mut self, column: &str, values: Vec<Value>) {
        if !values.is_empty() {
            self.and(&format!("{column} IN ({})", marks(values.len())), values);
        }
    }

    /// The clause, empty without conditions.
    pub(super) fn sql(&self) -> &str {
        &self.sql
    }

    /// The conditions as an expression; without any it is true.
    pub(super) fn condition(&self) -> &str {
        self.sql.strip_prefix(" WHERE ").unwrap_or("1")
    }

    /// The values for the clause's marks.
    pub(super) fn values(&self) -> impl Iterator<Item = &dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql)
    }
}

/// `n` question marks.
pub(super) fn marks(n: usize) -> String {
    let mut marks = "?,".repeat(n);
    marks.pop();
    marks
}

/// A LIKE pattern (with `ESCAPE '\'`) in which `text` stands for itself.
pub(super) fn literal(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
