//! What each kind of value must look like. Every function answers the reason when it does not.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A node's name: a DNS subdomain, as the Kubernetes API wants it.
pub fn node_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 253 {
        return Err("must have 1 to 253 characters".to_owned());
    }
    let good_label = |label: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        label.starts_with(plain)
            && label.ends_with(plain)
            && label.chars().all(|c| plain(c) || c == '-')
    };
    if text.split('.').all(good_label) {
        Ok(text.to_owned())
    } else {
        Err("must be a DNS name of lower-case letters, digits, - and .".to_owned())
    }
}

/// An absolute path.
pub fn absolute_path(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_absolute() {
        Ok(path)
    } else {
        Err("must be an absolute path".to_owned())
    }
}

/// A socket's absolute path; the prefix `unix:`, which Open vSwitch's own tools print, is accepted.
pub fn socket_path(text: &str) -> Result<PathBuf, String> {
    absolute_path(text.strip_prefix("unix:").unwrap_or(text))
}

/// A listen address, or none where it is off.
pub fn listen(text: &str) -> Result<Option<SocketAddr>, String> {
    if text == "none" {
        return Ok(None);
    }
    text.parse()
        .map(Some)
        .map_err(|_| "must be ADDRESS:PORT, [ADDRESS]:PORT or none".to_owned())
}

/// A number of whole seconds, at least one and at most a day.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let digits = text.strip_suffix('s').unwrap_or(text);
    match digits.parse::<u64>() {
        Ok(seconds) if (1..=86_400).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        _ => Err("must be a number of seconds from 1 to 86400".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_names() {
        for good in ["n", "node-1", "a.b.example", "10-0-0-1"] {
            assert_eq!(node_name(good).as_deref(), Ok(good));
        }
        for bad in ["", "Node", "-a", "a-", "a..b", "a_b", "(none)", ".a"] {
            assert!(node_name(bad).is_err(), "{bad:?} was taken");
        }
        assert!(node_name(&"a".repeat(254)).is_err());
    }

    #[test]
    fn listen_addresses() {
        assert_eq!(listen("none"), Ok(None));
        assert_eq!(
            listen("[::]:0").map(|a| a.map(|a| a.to_string())),
            Ok(Some("[::]:0".to_owned()))
        );
        for bad in ["", "10256", ":10256", "localhost:80", "0.0.0.0:65536"] {
            assert!(listen(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn numbers_of_seconds() {
        assert_eq!(seconds("5"), Ok(Duration::from_secs(5)));
        assert_eq!(seconds("5s"), Ok(Duration::from_secs(5)));
        for bad in ["", "0", "-1", "1m", "86401", "1.5"] {
            assert!(seconds(bad).is_err(), "{bad:?} was taken");
        }
    }

    #[test]
    fn socket_paths() {
        assert_eq!(socket_path("unix:/a/b"), Ok(PathBuf::from("/a/b")));
        assert!(socket_path("tcp:1.2.3.4:6640").is_err());
    }
}
