//! `CNI_ARGS`: pairs that a runtime passes for one container, `K=V;K=V`.

use std::collections::BTreeMap;

/// The keys that mean something to one of the plugins in this binary.
const KNOWN: [&str; 7] = [
    IGNORE_UNKNOWN,
    "IP",
    "MAC",
    "K8S_POD_NAMESPACE",
    "K8S_POD_NAME",
    "K8S_POD_INFRA_CONTAINER_ID",
    "K8S_POD_UID",
];

/// The key with which a runtime says that it passes keys for other plugins too.
const IGNORE_UNKNOWN: &str = "IgnoreUnknown";

/// Why `CNI_ARGS` was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgsError {
    /// A part between semicolons that is not `KEY=VALUE`.
    #[error("invalid pair {0:?} in CNI_ARGS: expected KEY=VALUE")]
    Pair(String),
    /// A key that no plugin here knows, without `IgnoreUnknown=1`.
    #[error("unknown key {0:?} in CNI_ARGS (IgnoreUnknown=1 would allow it)")]
    Unknown(String),
    /// `IgnoreUnknown` is not a boolean.
    #[error("invalid value {0:?} for IgnoreUnknown in CNI_ARGS: expected 1, 0, true or false")]
    Flag(String),
}

/// The parsed pairs; of a key given twice the last one counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CniArgs {
    pairs: BTreeMap<String, String>,
}

impl CniArgs {
    /// Parses the value of `CNI_ARGS`; empty parts are allowed.
    pub fn parse(text: &str) -> Result<Self, ArgsError> {
        let mut pairs = BTreeMap::new();
        for pair in text.split(';').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) if !key.is_empty() && !value.contains('=') => {
                    pairs.insert(key.to_owned(), value.to_owned());
                }
                _ => return Err(ArgsError::Pair(pair.to_owned())),
            }
        }
        let args = Self { pairs };
        if !args.ignores_unknown()?
            && let Some(key) = args.pairs.keys().find(|key| !KNOWN.contains(&key.as_str()))
        {
            return Err(ArgsError::Unknown(key.clone()));
        }
        Ok(args)
    }

    /// The value of a key; an empty value counts as absent.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs
            .get(key)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn ignores_unknown(&self) -> Result<bool, ArgsError> {
        match self.get(IGNORE_UNKNOWN) {
            None => Ok(false),
            Some(text) if text == "1" || text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text == "0" || text.eq_ignore_ascii_case("false") => Ok(false),
            Some(text) => Err(ArgsError::Flag(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_read_and_empty_parts_skipped() {
        let args = CniArgs::parse("IP=10.0.0.1;;MAC=;K8S_POD_NAME=web-0;").unwrap();
        assert_eq!(args.get("IP"), Some("10.0.0.1"));
        assert_eq!(args.get("MAC"), None);
        assert_eq!(args.get("K8S_POD_NAME"), Some("web-0"));
        assert_eq!(CniArgs::parse(""), Ok(CniArgs::default()));
    }

    #[test]
    fn unknown_keys_need_permission() {
        assert_eq!(
            CniArgs::parse("FOO=1"),
            Err(ArgsError::Unknown("FOO".into()))
        );
        assert_eq!(
            CniArgs::parse("FOO=1;IgnoreUnknown=0"),
            Err(ArgsError::Unknown("FOO".into()))
        );
        for allowed in ["1", "true", "TRUE"] {
            assert!(CniArgs::parse(&format!("FOO=1;IgnoreUnknown={allowed}")).is_ok());
        }
        assert_eq!(
            CniArgs::parse("IgnoreUnknown=maybe"),
            Err(ArgsError::Flag("maybe".into()))
        );
    }

    #[test]
    fn what_is_no_pair_is_refused() {
        for text in ["IP", "=1", "IP=1=2", "IP=1; ", "\u{0}"] {
            assert!(
                matches!(CniArgs::parse(text), Err(ArgsError::Pair(_))),
                "{text:?}"
            );
        }
    }
}
