//! The one place where errors become CNI error codes.
//!
//! Codes below 100 are the specification's. This plugin's own:
//!
//! | code | meaning |
//! |---|---|
//! | 100 | a name or an attachment is already in use |
//! | 101 | no address is left, or the requested one is not to be had |
//! | 102 | CHECK found something else than what ADD made |
//! | 103 | this plugin is not implemented yet |

use serde_json::{Value, json};

use crate::field::FieldError;
use crate::version::SpecVersion;

/// A numeric CNI error code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Code {
    /// The configuration's version is not spoken, or has no such verb.
    IncompatibleVersion = 1,
    /// The container is not known here.
    UnknownContainer = 3,
    /// A variable of the environment is missing or wrong.
    Environment = 4,
    /// Files could not be read or written.
    Io = 5,
    /// The configuration or a result is no JSON.
    Decode = 6,
    /// A key of the configuration has a wrong value.
    Config = 7,
    /// The network namespace is missing or is none.
    Netns = 8,
    /// Something is away for the moment.
    TryAgain = 11,
    /// STATUS: ADD would fail now.
    NotAvailable = 50,
    /// A name or attachment is in use.
    InUse = 100,
    /// No address can be had.
    NoAddress = 101,
    /// CHECK found a difference.
    Mismatch = 102,
    /// Not implemented yet.
    NotImplemented = 103,
    /// Anything else.
    Internal = 999,
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration has a version that is not spoken.
    #[error("incompatible CNI versions")]
    Version {
        /// The version in the configuration.
        config: String,
    },
    /// The configuration's version is older than the verb.
    #[error("config version {version} does not allow {verb}, which is since {since}")]
    VerbVersion {
        /// The verb as the runtime gave it.
        verb: &'static str,
        /// The first version that knows it.
        since: SpecVersion,
        /// The configuration's version.
        version: SpecVersion,
    },
    /// The container is not known.
    #[error("{0}")]
    UnknownContainer(String),
    /// A variable is missing or wrong.
    #[error("{0}")]
    Environment(String),
    /// Reading or writing failed.
    #[error("{0}")]
    Io(String),
    /// What should be JSON is not.
    #[error("{0}")]
    Decode(String),
    /// A key has a wrong value.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// The configuration as a whole is wrong.
    #[error("{0}")]
    Config(String),
    /// The namespace is missing, is none, or is the plugin's own.
    #[error("{0}")]
    Netns(String),
    /// Something is away for the moment.
    #[error("{0}")]
    TryAgain(String),
    /// ADD could not work now.
    #[error("{0}")]
    NotAvailable(String),
    /// A name or an attachment is in use.
    #[error("{0}")]
    InUse(String),
    /// No address can be had.
    #[error("{0}")]
    NoAddress(String),
    /// CHECK found differences.
    #[error("{0}")]
    Mismatch(String),
    /// A plugin of this binary that is still to be written.
    #[error("the plugin {0} is not implemented yet")]
    NotImplemented(&'static str),
    /// A plugin that was executed answered an error, which is passed on.
    #[error("{plugin}: {msg}")]
    Delegate {
        /// The plugin's name.
        plugin: String,
        /// Its code.
        code: u32,
        /// Its message.
        msg: String,
        /// Its details.
        details: String,
    },
    /// Anything else.
    #[error("{0}")]
    Internal(String),
    /// Several things went wrong while cleaning up.
    #[error("{}", list(.0))]
    Several(Vec<Error>),
}

impl From<netlink::Error> for Error {
    fn from(error: netlink::Error) -> Self {
        match error {
            netlink::Error::NotFound { .. } | netlink::Error::NotNetns { .. } => {
                Self::Netns(error.to_string())
            }
            _ if error.is_exists() => Self::InUse(error.to_string()),
            _ => Self::Internal(error.to_string()),
        }
    }
}

impl From<ovs::Error> for Error {
    fn from(error: ovs::Error) -> Self {
        match error.is_retryable() {
            true => Self::TryAgain(error.to_string()),
            false => Self::Internal(error.to_string()),
        }
    }
}

impl From<attachment::StoreError> for Error {
    fn from(error: attachment::StoreError) -> Self {
        use attachment::StoreError::{Foreign, Locked};
        match error {
            Locked { .. } => Self::TryAgain(error.to_string()),
            Foreign { .. } => Self::InUse(error.to_string()),
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<attachment::Error> for Error {
    fn from(error: attachment::Error) -> Self {
        use attachment::Error as Attachment;
        let text = error.to_string();
        match error {
            _ if error.is_retryable() => Self::TryAgain(text),
            Attachment::Netlink(error) => error.into(),
            Attachment::Store(error) => error.into(),
            Attachment::NetnsReplaced { .. } | Attachment::HostNetns { .. } => Self::Netns(text),
            Attachment::Exists { .. }
            | Attachment::PodLinkExists { .. }
            | Attachment::LinkTaken { .. }
            | Attachment::PortTaken { .. } => Self::InUse(text),
            Attachment::NoBridge { ref bridge, .. } => {
                Self::Config(format!("invalid value {bridge:?} for \"bridge\": {text}"))
            }
            _ => Self::Internal(text),
        }
    }
}

impl From<ipam::ConfigError> for Error {
    fn from(error: ipam::ConfigError) -> Self {
        use ipam::ConfigError::{ArgsPair, ArgsUnknown, ArgsValue};
        match error {
            ArgsPair { .. } | ArgsUnknown { .. } | ArgsValue { .. } => {
                Self::Environment(error.to_string())
            }
            _ => Self::Config(error.to_string()),
        }
    }
}

impl From<ipam::Error> for Error {
    fn from(error: ipam::Error) -> Self {
        use ipam::Error as Ipam;
        let text = error.to_string();
        match error {
            Ipam::Io { .. } => Self::Io(text),
            Ipam::Exhausted { .. }
            | Ipam::Taken { .. }
            | Ipam::Unusable { .. }
            | Ipam::Unfulfilled { .. } => Self::NoAddress(text),
            Ipam::Duplicate { .. } => Self::InUse(text),
            Ipam::NotAllocated { .. } => Self::Mismatch(text),
            Ipam::Identity { .. } => Self::Environment(text),
        }
    }
}

impl Error {
    /// The code of this error.
    pub fn code(&self) -> u32 {
        let code = match self {
            Self::Version { .. } | Self::VerbVersion { .. } => Code::IncompatibleVersion,
            Self::UnknownContainer(_) => Code::UnknownContainer,
            Self::Environment(_) => Code::Environment,
            Self::Io(_) => Code::Io,
            Self::Decode(_) => Code::Decode,
            Self::Field(_) | Self::Config(_) => Code::Config,
            Self::Netns(_) => Code::Netns,
            Self::TryAgain(_) => Code::TryAgain,
            Self::NotAvailable(_) => Code::NotAvailable,
            Self::InUse(_) => Code::InUse,
            Self::NoAddress(_) => Code::NoAddress,
            Self::Mismatch(_) => Code::Mismatch,
            Self::NotImplemented(_) => Code::NotImplemented,
            Self::Delegate { code, .. } => return *code,
            Self::Internal(_) => Code::Internal,
            Self::Several(errors) => {
                return errors.first().map_or(Code::Internal as u32, Self::code);
            }
        };
        code as u32
    }

    /// This error, and after it the one of undoing what came before it, if any.
    pub fn and_then_undo(self, undone: Result<(), Self>) -> Self {
        match undone {
            Ok(()) => self,
            Err(error) => Self::Several(vec![self, error]),
        }
    }

    /// One error for all of several; none when there were none.
    pub fn from_several(mut errors: Vec<Self>) -> Option<Self> {
        match errors.len() {
            0 | 1 => errors.pop(),
            _ => Some(Self::Several(errors)),
        }
    }

    /// The JSON that goes to standard output.
    pub fn to_json(&self, version: SpecVersion) -> Value {
        let mut out = json!({
            "cniVersion": version.as_str(),
            "code": self.code(),
            "msg": self.to_string(),
        });
        let details = self.details();
        if !details.is_empty() {
            out["details"] = json!(details);
        }
        out
    }

    fn details(&self) -> String {
        match self {
            Self::Version { config } => {
                format!(
                    "config is {config:?}, plugin supports {}",
                    SpecVersion::list()
                )
            }
            Self::Delegate { details, .. } => details.clone(),
            _ => String::new(),
        }
    }
}

fn list(errors: &[Error]) -> String {
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_the_fields_of_the_specification() {
        let error = Error::Version { config: "9".into() };
        assert_eq!(
            error.to_json(SpecVersion::V1_0_0),
            json!({
                "cniVersion": "1.0.0", "code": 1, "msg": "incompatible CNI versions",
                "details": "config is \"9\", plugin supports 0.1.0, 0.2.0, 0.3.0, 0.3.1, 0.4.0, 1.0.0, 1.1.0",
            })
        );
    }

    #[test]
    fn a_delegate_keeps_its_code_and_several_take_the_first() {
        let delegate = || Error::Delegate {
            plugin: "dhcp".into(),
            code: 11,
            msg: "no lease".into(),
            details: "later".into(),
        };
        assert_eq!(delegate().to_json(SpecVersion::LATEST)["details"], "later");
        let several = Error::from_several(vec![delegate(), Error::Io("disk full".into())]).unwrap();
        assert_eq!(several.code(), 11);
        assert_eq!(several.to_string(), "dhcp: no lease; disk full");
        assert!(Error::from_several(vec![]).is_none());
    }
}
