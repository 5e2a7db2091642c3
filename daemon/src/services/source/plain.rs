//! The YAML that kubectl prints, read at the speed of a copy: maps and lists in block style, with scalars on one line.
//!
//! A parser of all of YAML takes ten times as long as everything else that becomes of a manifest. Whatever is not of
//! the plain kind, or could mean two things, is none of ours and left to that parser: [`parse`] never says anything
//! else than it would.

use serde_json::{Map, Value};

/// How deep maps and lists may be in each other before it is left to the other parser.
const DEPTH: usize = 32;

/// Words that mean, or have meant in older YAML, something else than themselves.
const WORDS: [&str; 12] = [
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity",
];

/// The value of a document, if it is plain.
pub fn parse(text: &str) -> Option<Value> {
    let is_odd = |byte: u8| !matches!(byte, b' '..=b'~' | b'\n');
    if text.bytes().any(is_odd) {
        return None;
    }
    let mut lines = Lines {
        rest: text,
        next: None,
    };
    lines.advance();
    let first = lines.next?;
    let value = node(&mut lines, first.indent, DEPTH)?;
    lines.next.is_none().then_some(value)
}

/// A line with something on it.
#[derive(Clone, Copy)]
struct Line<'a> {
    indent: usize,
    text: &'a str,
}

impl Line<'_> {
    fn is_item(&self) -> bool {
        self.text == "-" || self.text.starts_with("- ")
    }
}

struct Lines<'a> {
    rest: &'a str,
    next: Option<Line<'a>>,
}

impl Lines<'_> {
    /// Goes to the next line that is neither empty nor a comment.
    fn advance(&mut self) {
        self.next = None;
        while !self.rest.is_empty() {
            let (line, rest) = self.rest.split_once('\n').unwrap_or((self.rest, ""));
            self.rest = rest;
            let text = line.trim_start_matches(' ');
            let indent = line.len() - text.len();
            let text = text.trim_end_matches(' ');
            if !text.is_empty() && !text.starts_with('#') {
                self.next = Some(Line { indent, text });
                return;
            }
        }
    }
}

/// A map or a list whose lines begin at `indent`.
fn node(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let value = if lines.next?.is_item() {
        list(lines, indent, depth)?
    } else {
        map(lines, indent, depth)?
    };
    // A line further in than it may be: of a scalar that goes on, or an error.
    match lines.next {
        Some(line) if line.indent > indent => None,
        _ => Some(value),
    }
}

fn map(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Option<Value> {
    let mut map = Map::new();
    while let Some(line) = lines.next
        && line.indent == indent
        && !line.is_item()
    {
        let (key, rest) = key(line.text)?;
        lines.advance();
        let value = if rest.is_empty() {
            below(lines, indent, true, depth)?
        } else {
            scalar(rest)?
        };
        if map.insert(key.to_owned(), value).is_some() {
            return None;
        }
    }
    Some(Value::Object(map))
}

fn list(lines: &mut Lines<'_>, indent: usize, depth: usize) -> Option<Value> {
    let mut list = Vec::new();
    while let Some(line) = lines.next
        && line.indent == indent
        && line.is_item()
    {
        let rest = line.text[1..].trim_start_matches(' ');
        let inner = Line {
            indent: indent + line.text.len() - rest.len(),
            text: rest,
        };
        if rest.is_empty() {
            lines.advance();
            list.push(below(lines, indent, false, depth)?);
        } else if inner.is_item() {
            return None;
        } else if key(rest).is_some() {
            // The first line of a map, which goes on below where its first key is.
            lines.next = Some(inner);
            list.push(node(lines, inner.indent, depth)?);
        } else {
            lines.advance();
            list.push(scalar(rest)?);
        }
    }
    Some(Value::Array(list))
}

/// What is on the lines after a key or a dash with nothing beside it. The list of a key may begin where the key does.
fn below(lines: &mut Lines<'_>, indent: usize, is_key: bool, depth: usize) -> Option<Value> {
    match lines.next {
        Some(line) if line.indent > indent => node(lines, line.indent, depth),
        Some(line) if is_key && line.indent == indent && line.is_item() => {
            node(lines, indent, depth)
        }
        _ => Some(Value::Null),
    }
}

/// The key that a line begins with, and what is beside it.
fn key(text: &str) -> Option<(&str, &str)> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./-".contains(byte);
    let length = text.bytes().take_while(|byte| is_key(byte)).count();
    let (key, rest) = text.split_at(length);
    let rest = rest.strip_prefix(':')?;
    let begins = key.bytes().next()?.is_ascii_alphabetic();
    let ends = rest.is_empty() || rest.starts_with(' ');
    let is_word = WORDS.iter().any(|word| key.eq_ignore_ascii_case(word));
    (begins && ends && !is_word).then_some((key, rest.trim_start_matches(' ')))
}

/// A scalar of which there is no doubt.
fn scalar(text: &str) -> Option<Value> {
    let string = || Some(Value::String(text.to_owned()));
    match text.bytes().next()? {
        quote @ (b'"' | b'\'') => {
            let inner = text[1..].strip_suffix(char::from(quote))?;
            let is_plain = !inner.bytes().any(|byte| byte == quote || byte == b'\\');
            return is_plain.then(|| Value::String(inner.to_owned()));
        }
        b'{' | b'[' => {
            return match text {
                "{}" => Some(Value::Object(Map::new())),
                "[]" => Some(Value::Array(Vec::new())),
                _ => None,
            };
        }
        _ => {}
    }
    if text.contains(": ") || text.ends_with(':') || text.contains(" #") {
        return None;
    }
    match text.bytes().next()? {
        b'0'..=b'9' => number(text).or_else(|| no_number(text).then(string).flatten()),
        b'a'..=b'z' | b'A'..=b'Z' | b'/' => match text {
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            "null" => Some(Value::Null),
            _ if WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) => None,
            _ => string(),
        },
        _ => None,
    }
}

/// A decimal number of which there is no doubt.
fn number(text: &str) -> Option<Value> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_octal = text.len() > 1 && text.starts_with('0');
    if !is_plain || is_octal {
        return None;
    }
    // Wider ones may become something else.
    text.parse::<u32>().ok().map(Value::from)
}

/// Whether what begins with a digit is certainly no number of any kind: an address, a duration, an identification.
fn no_number(text: &str) -> bool {
    let bytes = text.as_bytes();
    let dots = bytes.iter().filter(|byte| **byte == b'.').count();
    let is_joined = bytes
        .windows(2)
        .any(|pair| pair[1] == b'-' && !matches!(pair[0], b'e' | b'E'));
    let of_numbers = |byte: &u8| byte.is_ascii_hexdigit() || b"xXoO_.+-:, ".contains(byte);
    let is_v6 = text.contains("::");
    dots > 1 || is_joined || is_v6 || !bytes.iter().all(of_numbers)
}

#[cfg(test)]
mod tests;
