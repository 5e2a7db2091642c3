//! The runtime's CNI configurations, read in its order: they tell which networks are berth's.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use attachment::record::Attachment;
use serde_json::Value;

/// A file in the runtime's configuration directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conf {
    /// The file.
    pub file: String,
    /// What it defines; the error where it does not parse.
    pub content: Result<Network, String>,
}

/// A network as a configuration defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Its name.
    pub name: String,
    /// The types of its plugins, in their order.
    pub types: Vec<String>,
    /// Where berth's leases are, if it says so.
    pub data_dir: Option<PathBuf>,
}

/// A network of berth's, and where its leases are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leased {
    /// Its name.
    pub name: String,
    /// The directory above the network's own.
    pub data_dir: PathBuf,
}

impl Conf {
    /// Whether berth is among the plugins.
    pub fn has_berth(&self) -> bool {
        self.content
            .as_ref()
            .is_ok_and(|network| network.types.iter().any(|t| t == "berth"))
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

/// Networks that are berth's, sorted: defined by a configuration with berth in it, or named in a record. Their leases
/// are below `default_dir` unless a configuration has another directory.
pub fn networks(confs: &[Conf], records: &[Attachment], default_dir: &Path) -> Vec<Leased> {
    let mut networks = BTreeMap::new();
    for record in records {
        networks.insert(record.network.as_str(), default_dir);
    }
    for conf in confs.iter().filter(|conf| conf.has_berth()) {
        if let Ok(network) = &conf.content {
            let data_dir = network.data_dir.as_deref().unwrap_or(default_dir);
            networks.insert(&network.name, data_dir);
        }
    }
    let leased = |(name, data_dir): (&str, &Path)| Leased {
        name: name.to_owned(),
        data_dir: data_dir.to_owned(),
    };
    networks.into_iter().map(leased).collect()
}

/// Where the leases of a record's network are.
pub fn data_dir<'a>(
    networks: &'a [Leased],
    record: &Attachment,
    default_dir: &'a Path,
) -> &'a Path {
    networks
        .iter()
        .find(|network| network.name == record.network)
        .map_or(default_dir, |network| &network.data_dir)
}

/// The network of a list or of a single configuration.
fn parse(text: &str) -> Result<Network, String> {
    let conf: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let name = conf["name"]
        .as_str()
        .ok_or_else(|| "it has no name".to_owned())?;
    let plugins = match conf.get("plugins") {
        Some(Value::Array(plugins)) if !plugins.is_empty() => plugins.as_slice(),
        Some(_) => return Err("plugins is no list of plugins".to_owned()),
        None => std::slice::from_ref(&conf),
    };
    let kind = |plugin: &Value| plugin["type"].as_str().map(str::to_owned);
    let types: Option<Vec<_>> = plugins.iter().map(kind).collect();
    let berth = plugins.iter().find(|plugin| plugin["type"] == "berth");
    Ok(Network {
        name: name.to_owned(),
        types: types.ok_or_else(|| "a plugin has no type".to_owned())?,
        data_dir: berth
            .and_then(|plugin| plugin["ipam"]["dataDir"].as_str())
            .filter(|dir| !dir.is_empty())
            .map(PathBuf::from),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_single_configurations() {
        let network = |name: &str, types: &[&str], data_dir: Option<&str>| Network {
            name: name.to_owned(),
            types: types.iter().map(|t| (*t).to_owned()).collect(),
            data_dir: data_dir.map(PathBuf::from),
        };
        let list = r#"{"name":"a","plugins":[{"type":"berth","ipam":{"dataDir":"/d"}},{"type":"portmap"}]}"#;
        let expected = network("a", &["berth", "portmap"], Some("/d"));
        assert_eq!(parse(list), Ok(expected));
        let single = r#"{"name":"b","type":"bridge","ipam":{"dataDir":"/d"}}"#;
        assert_eq!(parse(single), Ok(network("b", &["bridge"], None)));
    }

    #[test]
    fn only_networks_with_berth_in_them_are_berths() {
        let conf = |text: &str| Conf {
            file: String::new(),
            content: parse(text),
        };
        let confs = [
            conf(r#"{"name":"a","type":"berth","ipam":{"dataDir":"/d"}}"#),
            conf(r#"{"name":"b","type":"berth"}"#),
            conf(r#"{"name":"c","type":"bridge"}"#),
            conf("{"),
        ];
        let found = networks(&confs, &[], Path::new("/default"));
        let found: Vec<_> = found
            .iter()
            .map(|n| (n.name.as_str(), n.data_dir.to_str().unwrap_or_default()))
            .collect();
        assert_eq!(found, [("a", "/d"), ("b", "/default")]);
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
