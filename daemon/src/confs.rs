//! The runtime's CNI configurations, read in its order: they tell which networks are berth's.

use std::io;
use std::path::Path;

use attachment::record::Attachment;
use serde_json::Value;

/// A file in the runtime's configuration directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// The file.
    pub file: String,
    /// The network it defines, and the types of its plugins in order; the error where it does not parse.
    pub content: Result<(String, Vec<String>), String>,
}

impl Conf {
    /// Whether berth is among the plugins.
    pub fn has_berth(&self) -> bool {
        matches!(&self.content, Ok((_, types)) if types.iter().any(|t| t == "berth"))
    }
}

/// The configurations by file name, as runtimes read them. A missing directory has none: a node without a runtime.
pub fn read(directory: &Path) -> io::Result<Vec<Conf>> {
    let entries = match directory.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let known = |e: &std::ffi::OsStr| e == "conf" || e == "conflist" || e == "json";
        if path.extension().is_some_and(known) {
            paths.push(path);
        }
    }
    paths.sort();
    let read = |path: &Path| {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        parse(&text)
    };
    Ok(paths
        .iter()
        .map(|path| Conf {
            file: path.display().to_string(),
            content: read(path),
        })
        .collect())
}

/// Networks that are berth's, sorted: defined by a configuration with berth in it, or named in a record.
pub fn networks(confs: &[Conf], records: &[Attachment]) -> Vec<String> {
    let configured = confs
        .iter()
        .filter(|conf| conf.has_berth())
        .filter_map(|conf| conf.content.as_ref().ok())
        .map(|(name, _)| name.clone());
    let recorded = records.iter().map(|record| record.network.clone());
    let mut networks: Vec<_> = configured.chain(recorded).collect();
    networks.sort_unstable();
    networks.dedup();
    networks
}

/// The network's name and the types of its plugins, of a list or of a single configuration.
fn parse(text: &str) -> Result<(String, Vec<String>), String> {
    let conf: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let name = conf["name"]
        .as_str()
        .ok_or_else(|| "it has no name".to_owned())?;
    let kind = |plugin: &Value| {
        plugin["type"]
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| "a plugin has no type".to_owned())
    };
    let types = match conf.get("plugins") {
        Some(Value::Array(plugins)) if !plugins.is_empty() => {
            plugins.iter().map(kind).collect::<Result<_, _>>()?
        }
        Some(_) => return Err("plugins is no list of plugins".to_owned()),
        None => vec![kind(&conf)?],
    };
    Ok((name.to_owned(), types))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_single_configurations() {
        let list = r#"{"name":"a","plugins":[{"type":"berth"},{"type":"portmap"}]}"#;
        let types = vec!["berth".to_owned(), "portmap".to_owned()];
        assert_eq!(parse(list), Ok(("a".to_owned(), types)));
        let single = r#"{"name":"b","type":"bridge"}"#;
        assert_eq!(
            parse(single),
            Ok(("b".to_owned(), vec!["bridge".to_owned()]))
        );
    }

    #[test]
    fn what_a_runtime_would_refuse_is_an_error() {
        for bad in [
            "",
            "{}",
            r#"{"name":"a"}"#,
            r#"{"name":"a","plugins":[]}"#,
            r#"{"name":"a","plugins":[{}]}"#,
        ] {
            assert!(parse(bad).is_err(), "{bad} was taken");
        }
    }

    #[test]
    fn files_come_in_the_order_of_their_names() {
        let dir = tempfile::tempdir().expect("temporary directory");
        for name in ["20-b.conf", "10-a.conflist", "README"] {
            std::fs::write(dir.path().join(name), "{}").expect("write");
        }
        let confs = read(dir.path()).expect("readable");
        let files: Vec<_> = confs.iter().map(|conf| conf.file.clone()).collect();
        let path = |name: &str| dir.path().join(name).display().to_string();
        assert_eq!(files, [path("10-a.conflist"), path("20-b.conf")]);
    }
}
