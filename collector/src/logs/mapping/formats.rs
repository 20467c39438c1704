//! Patterns in the proxies' own notations, so that a format can be taken over as it stands in
//! their configuration.
//!
//! What a notation can name and a mapping cannot use is skipped.

use super::field::Field;
use super::pattern::Piece;
use super::time::Unit;

/// A format, read.
pub(super) struct Format {
    pub(super) pieces: Vec<Piece>,
    /// The unit of durations in this notation.
    pub(super) duration: Unit,
}

impl Format {
    fn new(duration: Unit) -> Self {
        Self { pieces: Vec::new(), duration }
    }

    fn literal(&mut self, text: &str) {
        self.pieces.push(Piece::Literal(text.as_bytes().to_vec()));
    }

    fn field(&mut self, field: Option<Field>) {
        self.pieces.push(Piece::Field(field));
    }
}

/// nginx: the text of `log_format` (ngx_http_log_module, ngx_stream_log_module).
pub(super) fn nginx(text: &str) -> Result<Format, String> {
    let mut format = Format::new(Unit::S);
    let mut rest = text;
    while let Some(dollar) = rest.find('$') {
        format.literal(&rest[..dollar]);
        rest = &rest[dollar + 1..];
        let (name, after) = match rest.strip_prefix('{') {
            Some(inner) => inner.split_once('}').ok_or("has a ${ without }")?,
            None => rest.split_at(word(rest)),
        };
        if name.is_empty() {
            return Err("has a $ without a name".to_owned());
        }
        format.field(nginx_field(name));
        rest = after;
    }
    format.literal(rest);
    Ok(format)
}

/// `$remote_user` is none: it is whatever login the client sent, also one for the destination.
fn nginx_field(name: &str) -> Option<Field> {
    Some(match name {
        "remote_addr" | "realip_remote_addr" => Field::Client,
        "remote_port" => Field::ClientPort,
        "time_local" | "time_iso8601" | "msec" => Field::Time,
        "request" => Field::Request,
        "request_method" => Field::Method,
        "request_uri" => Field::Url,
        "args" | "query_string" => Field::Query,
        "scheme" => Field::Scheme,
        "host" | "http_host" => Field::Host,
        "status" => Field::Status,
        "request_length" | "bytes_received" => Field::Up,
        "bytes_sent" | "body_bytes_sent" => Field::Down,
        "content_length" | "http_content_length" => Field::Body,
        "request_time" | "session_time" => Field::Duration,
        "http_user_agent" => Field::UserAgent,
        "content_type" | "http_content_type" => Field::ContentType,
        "ssl_preread_server_name" | "ssl_server_name" => Field::Sni,
        "upstream_addr" => Field::Server,
        "ssl_client_s_dn" => Field::Certificate,
        _ => return None,
    })
}

/// HAProxy: the text of `log-format` (configuration manual, "Custom log format").
pub(super) fn haproxy(text: &str) -> Result<Format, String> {
    let mut format = Format::new(Unit::Ms);
    let plain = text.replace("\\ ", " ").replace("\\\"", "\"");
    let mut rest = plain.as_str();
    while let Some(percent) = rest.find('%') {
        format.literal(&rest[..percent]);
        rest = &rest[percent + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            format.literal("%");
            rest = after;
            continue;
        }
        let (flags, after) = braced(rest)?;
        let is_expression = after.starts_with('[');
        let (name, after) = match after.strip_prefix('[') {
            Some(inner) => inner.split_once(']').ok_or("has a %[ without ]")?,
            None => after.split_at(word(after)),
        };
        if name.is_empty() || name == "o" {
            return Err("has a % without a name; leave flags for all (%{…}o) out".to_owned());
        }
        let quotes = if flags.contains("+Q") { "\"" } else { "" };
        format.literal(quotes);
        format.field(if is_expression { haproxy_sample(name) } else { haproxy_field(name) });
        format.literal(quotes);
        rest = after;
    }
    format.literal(rest);
    Ok(format)
}

fn haproxy_field(name: &str) -> Option<Field> {
    Some(match name {
        "ci" => Field::Client,
        "cp" => Field::ClientPort,
        "si" => Field::Server,
        "sp" => Field::ServerPort,
        "t" | "tr" | "T" | "Ts" | "trg" => Field::Start,
        "Ta" | "Tt" => Field::Duration,
        "r" => Field::Request,
        "HM" => Field::Method,
        "HU" | "HP" => Field::Url,
        "HQ" => Field::Query,
        "ST" => Field::Status,
        "U" => Field::Up,
        "B" => Field::Down,
        "ts" | "tsc" => Field::Decision,
        _ => return None,
    })
}

/// Of expressions those without a converter.
fn haproxy_sample(expression: &str) -> Option<Field> {
    Some(match expression {
        "src" => Field::Client,
        "src_port" => Field::ClientPort,
        "ssl_fc_sni" | "req.ssl_sni" | "var(sess.sni)" | "var(txn.sni)" => Field::Sni,
        "req.hdr(host)" | "hdr(host)" | "var(txn.host)" => Field::Host,
        "ssl_c_s_dn" => Field::Certificate,
        _ => return None,
    })
}

/// Apache: the text of `LogFormat` (mod_log_config, mod_logio).
pub(super) fn apache(text: &str) -> Result<Format, String> {
    let mut format = Format::new(Unit::Us);
    let plain = text.replace("\\\"", "\"");
    let mut rest = plain.as_str();
    while let Some(percent) = rest.find('%') {
        format.literal(&rest[..percent]);
        rest = rest[percent + 1..]
            .trim_start_matches(|c: char| matches!(c, '>' | '<' | '!' | ',') || c.is_ascii_digit());
        let (argument, after) = braced(rest)?;
        let letter = after.chars().next().ok_or("ends in a %")?;
        rest = &after[letter.len_utf8()..];
        match letter {
            '%' => format.literal("%"),
            't' if argument.is_empty() => {
                format.literal("[");
                format.field(Some(Field::Start));
                format.literal("]");
            }
            'T' => {
                format.duration = Unit::S;
                format.field(Some(Field::Duration));
            }
            _ => format.field(apache_field(argument, letter)),
        }
    }
    format.literal(rest);
    Ok(format)
}

fn apache_field(argument: &str, letter: char) -> Option<Field> {
    Some(match (letter, argument.to_ascii_lowercase().as_str()) {
        ('h' | 'a', _) => Field::Client,
        ('p', "remote") => Field::ClientPort,
        ('u', _) => Field::User,
        ('r', _) => Field::Request,
        ('m', _) => Field::Method,
        ('U', _) => Field::Url,
        ('q', _) => Field::Query,
        ('s', _) => Field::Status,
        ('I', _) => Field::Up,
        ('b' | 'B' | 'O', _) => Field::Down,
        ('D', _) => Field::Duration,
        ('i', "user-agent") => Field::UserAgent,
        ('i', "host") => Field::Host,
        ('i', "content-type") => Field::ContentType,
        ('i', "content-length") => Field::Body,
        ('x', "ssl_client_s_dn") => Field::Certificate,
        _ => return None,
    })
}

/// Squid: the text of `logformat`.
pub(super) fn squid(text: &str) -> Result<Format, String> {
    let mut format = Format::new(Unit::Ms);
    // Seconds and their fraction are one number.
    let plain = text.replace("%ts.%03tu", "%ts");
    let mut rest = plain.as_str();
    while let Some(percent) = rest.find('%') {
        format.literal(&rest[..percent]);
        rest = &rest[percent + 1..];
        if let Some(after) = rest.strip_prefix('%') {
            format.literal("%");
            rest = after;
            continue;
        }
        let modifiers = |c: char| matches!(c, '"' | '\'' | '[' | '#' | '/' | '-' | '.');
        rest = rest.trim_start_matches(|c: char| modifiers(c) || c.is_ascii_digit());
        let (argument, after) = braced(rest)?;
        let (name, after) = after.split_at(squid_code(after));
        if name.is_empty() {
            return Err("has a % without a code".to_owned());
        }
        let (inner, after) = if argument.is_empty() { braced(after)? } else { (argument, after) };
        format.field(squid_field(inner, name));
        rest = after;
    }
    format.literal(rest);
    Ok(format)
}

/// Length of `[NAMESPACE::][<>]LETTERS`.
fn squid_code(text: &str) -> usize {
    let namespace = word(text);
    let from = if text[namespace..].starts_with("::") { namespace + 2 } else { 0 };
    let from = from + usize::from(text[from..].starts_with(['<', '>']));
    from + word(&text[from..])
}

fn squid_field(argument: &str, code: &str) -> Option<Field> {
    Some(match (code, argument.to_ascii_lowercase().as_str()) {
        (">a" | ">A", _) => Field::Client,
        (">p", _) => Field::ClientPort,
        ("<a", _) => Field::Server,
        ("<p", _) => Field::ServerPort,
        ("ts" | "tl" | "tg", _) => Field::Time,
        ("tr", _) => Field::Duration,
        ("Ss", _) => Field::Decision,
        ("Hs" | ">Hs", _) => Field::Status,
        (">st", _) => Field::Up,
        ("<st", _) => Field::Down,
        ("rm" | ">rm", _) => Field::Method,
        ("ru" | ">ru", _) => Field::Url,
        ("un" | "ul", _) => Field::User,
        (">h", "user-agent") => Field::UserAgent,
        (">h", "host") => Field::Host,
        (">h", "content-type") => Field::ContentType,
        (">h", "content-length") => Field::Body,
        ("ssl::>sni", _) => Field::Sni,
        ("ssl::>cert_subject", _) => Field::Certificate,
        _ => return None,
    })
}

/// Splits off `{…}`, if the text begins with it.
fn braced(text: &str) -> Result<(&str, &str), String> {
    match text.strip_prefix('{') {
        Some(inner) => inner.split_once('}').ok_or_else(|| "has a { without }".to_owned()),
        None => Ok(("", text)),
    }
}

/// Length of the name at the begin of the text.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces in our own notation.
    fn own(format: &Result<Format, String>) -> String {
        let mut text = String::new();
        for piece in &format.as_ref().unwrap_or_else(|problem| panic!("{problem}")).pieces {
            match piece {
                Piece::Literal(literal) => text += str::from_utf8(literal).unwrap(),
                Piece::Field(None) => text += "{}",
                Piece::Field(Some(field)) => {
                    text +=
                        &format!("{{{}}}", serde_json::to_string(field).unwrap().trim_matches('"'));
                }
            }
        }
        text
    }

    #[test]
    fn each_proxy_s_notation_is_understood() {
        for (format, expected) in [
            (
                nginx(r#"$remote_addr - ${remote_user} [$time_local] "$request" $foo_bar"#),
                r#"{client} - {} [{time}] "{request}" {}"#,
            ),
            (
                haproxy(r#"%ci:%cp\ [%tr] %ft %b/%s %Ta %[ssl_fc_sni] %[rand(3)] %{+Q}r 5%%"#),
                r#"{client}:{client-port} [{start}] {} {}/{} {duration} {sni} {} "{request}" 5%"#,
            ),
            (
                apache(r#"%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\""#),
                r#"{client} {} {user} [{start}] "{request}" {status} {down} "{}" "{user-agent}""#,
            ),
            (
                squid(
                    r#"%ts.%03tu %6tr %>a:%>p %Ss/%03>Hs %{Host}>h %ssl::>sni %>h{User-Agent} %[un"#,
                ),
                "{time} {duration} {client}:{client-port} {decision}/{status} {host} {sni} \
                 {user-agent} {user}",
            ),
        ] {
            assert_eq!(own(&format), expected);
        }
    }

    #[test]
    fn broken_formats_say_why() {
        for format in [
            nginx("$"),
            nginx("${a"),
            haproxy("%{+Q}o %ci"),
            haproxy("%[src"),
            apache("%"),
            squid("% "),
        ] {
            assert!(format.is_err());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_format_makes_them_panic(text in "[%${}\\[\\]<>:a-zé\" \\\\]{0,24}") {
            let _ = (nginx(&text), haproxy(&text), apache(&text), squid(&text));
        }
    }
}
