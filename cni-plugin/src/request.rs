//! A CNI request: the environment and standard input, validated.
//!
//! Every rule about them is here, in the order in which libcni's own skeleton
//! checks: variables that are missing, the configuration's form and network
//! name, the container, the interface, the version.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde_json::Value;

use crate::args::CniArgs;
use crate::error::Error;
use crate::field::Field;
use crate::version::SpecVersion;

/// Longest container id and network name, in bytes: both become file names and
/// part of a link's alias, which the kernel limits to 255 bytes.
const MAX_ID: usize = 200;

/// Longest interface name the kernel takes, in bytes.
const MAX_IFNAME: usize = 15;

/// What the runtime asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Attach a container.
    Add,
    /// Detach a container.
    Del,
    /// Verify an attachment.
    Check,
    /// Remove what belongs to no valid attachment.
    Gc,
    /// Say whether ADD could work.
    Status,
    /// Say which versions are spoken.
    Version,
}

impl Verb {
    const ALL: [Self; 6] = [
        Self::Add,
        Self::Del,
        Self::Check,
        Self::Gc,
        Self::Status,
        Self::Version,
    ];

    /// The verb as `CNI_COMMAND` spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Add => "ADD",
            Self::Del => "DEL",
            Self::Check => "CHECK",
            Self::Gc => "GC",
            Self::Status => "STATUS",
            Self::Version => "VERSION",
        }
    }

    /// The variables without which this verb cannot be served.
    const fn required(self) -> &'static [&'static str] {
        match self {
            Self::Add | Self::Check => &["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"],
            Self::Del => &["CNI_CONTAINERID", "CNI_IFNAME", "CNI_PATH"],
            Self::Gc | Self::Status => &["CNI_PATH"],
            Self::Version => &[],
        }
    }

    /// The first version of a configuration that knows this verb.
    const fn since(self) -> SpecVersion {
        match self {
            Self::Add | Self::Del | Self::Version => SpecVersion::V0_1_0,
            Self::Check => SpecVersion::V0_4_0,
            Self::Gc | Self::Status => SpecVersion::V1_1_0,
        }
    }

    /// Whether the verb is about one container's interface.
    const fn has_container(self) -> bool {
        matches!(self, Self::Add | Self::Del | Self::Check)
    }
}

/// The variables of the process, or in a test any others.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: HashMap<String, OsString>,
}

impl Environment {
    /// The variables of this process.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(key, value)| Some((key.into_string().ok()?, value)))
            .collect()
    }

    /// The value of a variable as text; empty when it is not set.
    fn text(&self, key: &str) -> Result<&str, Error> {
        match self.variables.get(key) {
            None => Ok(""),
            Some(value) => value
                .to_str()
                .filter(|text| !text.contains('\0'))
                .ok_or_else(|| Error::Environment(format!("{key} is not text: {value:?}"))),
        }
    }

    /// The verb; none when the variable is not set.
    pub fn verb(&self) -> Result<Option<Verb>, Error> {
        let text = self.text("CNI_COMMAND")?;
        if text.is_empty() {
            return Ok(None);
        }
        Verb::ALL
            .into_iter()
            .find(|verb| verb.as_str() == text)
            .map(Some)
            .ok_or_else(|| Error::Environment(format!("unknown CNI_COMMAND {text:?}")))
    }
}

impl FromIterator<(String, OsString)> for Environment {
    fn from_iter<T: IntoIterator<Item = (String, OsString)>>(pairs: T) -> Self {
        Self {
            variables: pairs.into_iter().collect(),
        }
    }
}

/// A request whose form is right; its configuration is not yet interpreted.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked for.
    pub verb: Verb,
    /// The container; empty for GC and STATUS.
    pub container_id: String,
    /// The path of its network namespace; DEL may lack it.
    pub netns: Option<PathBuf>,
    /// Whether the runtime's own namespace is allowed there.
    pub netns_override: bool,
    /// The interface inside the container; empty for GC and STATUS.
    pub ifname: String,
    /// The parsed `CNI_ARGS`.
    pub args: CniArgs,
    /// Where plugins are looked for, in order.
    pub path: Vec<PathBuf>,
    /// The version of the configuration, and so of the answer.
    pub version: SpecVersion,
    /// The network's name.
    pub network: String,
    /// The whole configuration.
    pub config: Value,
}

impl Request {
    /// Validates the environment and the configuration in `stdin`.
    pub fn parse(verb: Verb, environment: &Environment, stdin: &[u8]) -> Result<Self, Error> {
        let missing: Vec<&str> = verb
            .required()
            .iter()
            .copied()
            .filter(|key| {
                environment
                    .variables
                    .get(*key)
                    .is_none_or(|value| value.is_empty())
            })
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(",");
            return Err(Error::Environment(format!(
                "required env variables [{missing}] missing"
            )));
        }
        let config = decode(stdin)?;
        let network = network_name(&config)?;
        let container_id = environment.text("CNI_CONTAINERID")?;
        let ifname = environment.text("CNI_IFNAME")?;
        if verb.has_container() {
            check_container_id(container_id)?;
            check_ifname(ifname)?;
        }
        let version = version_of(&config)?;
        if version < verb.since() {
            return Err(Error::VerbVersion {
                verb: verb.as_str(),
                since: verb.since(),
                version,
            });
        }
        let args = CniArgs::parse(environment.text("CNI_ARGS")?)
            .map_err(|error| Error::Environment(error.to_string()))?;
        let netns = environment.variables.get("CNI_NETNS");
        let over = environment.text("CNI_NETNS_OVERRIDE")?;
        let path = environment.variables.get("CNI_PATH");
        Ok(Self {
            verb,
            container_id: container_id.to_owned(),
            netns: netns.filter(|path| !path.is_empty()).map(PathBuf::from),
            netns_override: over == "1" || over.eq_ignore_ascii_case("true"),
            ifname: ifname.to_owned(),
            args,
            path: path
                .map(|path| std::env::split_paths(path).collect())
                .unwrap_or_default(),
            version,
            network,
            config,
        })
    }
}

/// The version a failed request's error should carry: that of the
/// configuration if it can be told, else the newest.
pub fn version_for_errors(stdin: &[u8]) -> SpecVersion {
    serde_json::from_slice::<Value>(stdin)
        .ok()
        .and_then(|config| version_of(&config).ok())
        .unwrap_or(SpecVersion::LATEST)
}

fn decode(stdin: &[u8]) -> Result<Value, Error> {
    let config: Value = serde_json::from_slice(stdin)
        .map_err(|error| Error::Decode(format!("network configuration: {error}")))?;
    match config {
        Value::Object(_) => Ok(config),
        _ => Err(Error::Decode(
            "network configuration: not an object".to_owned(),
        )),
    }
}

/// The version in a configuration; absent or empty means 0.1.0.
fn version_of(config: &Value) -> Result<SpecVersion, Error> {
    let field = Field::root(config).key("cniVersion")?;
    match field.string() {
        Err(error) => Err(Error::Decode(error.to_string())),
        Ok(None | Some("")) => Ok(SpecVersion::V0_1_0),
        Ok(Some(text)) => text.parse().map_err(|_| Error::Version {
            config: text.to_owned(),
        }),
    }
}

fn network_name(config: &Value) -> Result<String, Error> {
    let field = Field::root(config).key("name")?;
    let name = field.string()?.unwrap_or_default();
    if name.is_empty() {
        return Err(Error::Config("missing network name: \"name\"".to_owned()));
    }
    if !is_identifier(name) {
        return Err(field
            .wrong("a letter or digit, then letters, digits, '_', '.' and '-', 200 at most")
            .into());
    }
    Ok(name.to_owned())
}

fn check_container_id(id: &str) -> Result<(), Error> {
    if is_identifier(id) {
        return Ok(());
    }
    Err(Error::Environment(format!(
        "invalid CNI_CONTAINERID {id:?}: expected a letter or digit, then letters, digits, \
         '_', '.' and '-', {MAX_ID} at most"
    )))
}

/// `^[A-Za-z0-9][A-Za-z0-9_.-]*$`, of a length that fits in a file name.
fn is_identifier(text: &str) -> bool {
    text.len() <= MAX_ID
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
}

fn check_ifname(name: &str) -> Result<(), Error> {
    let problem = ifname_problem(name);
    problem.map_or(Ok(()), |problem| {
        Err(Error::Environment(format!(
            "invalid CNI_IFNAME {name:?}: {problem}"
        )))
    })
}

/// Why the kernel or the specification would refuse an interface's name.
pub fn ifname_problem(name: &str) -> Option<&'static str> {
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        Some("it is empty")
    } else if bytes.len() > MAX_IFNAME {
        Some("it is longer than 15 bytes")
    } else if name == "." || name == ".." {
        Some("it is a directory's name")
    } else if bytes.iter().any(|byte| b"/:".contains(byte)) {
        Some("it has a '/' or ':' in it")
    } else if name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        Some("it has white space or a control character in it")
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
