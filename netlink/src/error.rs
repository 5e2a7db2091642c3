//! What can go wrong, with the operation, the object it was about and the kernel's errno kept.

use std::path::PathBuf;

use nix::errno::Errno;

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

/// An operation on the kernel's network state that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nothing is at the path of a network namespace.
    #[error("network namespace {} does not exist", path.display())]
    NotFound {
        /// The path that was to be opened.
        path: PathBuf,
    },
    /// Something is at the path, but it is no network namespace.
    #[error("{} is not a network namespace", path.display())]
    NotNetns {
        /// The path that was opened.
        path: PathBuf,
    },
    /// A network namespace could not be opened.
    #[error("cannot open network namespace {}: {errno}", path.display())]
    Open {
        /// The path that was to be opened.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The thread could not enter a network namespace.
    #[error("cannot enter network namespace {}: {errno}", path.display())]
    Enter {
        /// The namespace's path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// A netlink socket could not be opened in a network namespace.
    #[error("cannot open a netlink socket in network namespace {}: {errno}", path.display())]
    Socket {
        /// The namespace's path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// The kernel refused a request.
    #[error("cannot {operation} {object}: {errno}{}", in_brackets(.detail.as_deref()))]
    Kernel {
        /// What was asked, as a verb phrase: `create veth`, `set the mtu of`.
        operation: &'static str,
        /// The object by name, index or address.
        object: String,
        /// The kernel's answer.
        errno: Errno,
        /// The kernel's own words, where it has any.
        detail: Option<String>,
    },
    /// The kernel's answer lacks what it must contain, or could not be decoded.
    #[error("cannot {operation} {object}: the kernel's answer lacks {missing}")]
    Malformed {
        /// What was asked.
        operation: &'static str,
        /// The object by name, index or address.
        object: String,
        /// What the answer lacks.
        missing: &'static str,
    },
    /// The kernel's tables changed during every attempt to list them.
    #[error("cannot {operation} {object}: interrupted by changes {attempts} times in a row")]
    Interrupted {
        /// What was asked.
        operation: &'static str,
        /// The object by name, index or address.
        object: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The netlink connection ended before the answer came.
    #[error("cannot {operation} {object}: the netlink connection is closed")]
    Closed {
        /// What was asked.
        operation: &'static str,
        /// The object by name, index or address.
        object: String,
    },
    /// A sysctl could not be read or written.
    #[error("cannot {operation} sysctl {key} in network namespace {}: {errno}", path.display())]
    Sysctl {
        /// `read` or `write`.
        operation: &'static str,
        /// The key, as a path below `/proc/sys`.
        key: String,
        /// The namespace's path.
        path: PathBuf,
        /// Why.
        errno: Errno,
    },
    /// An argument that can never be valid; nothing was asked of the kernel.
    #[error("invalid {what} {value:?}: {reason}")]
    Invalid {
        /// What the value is meant to be.
        what: &'static str,
        /// The value.
        value: String,
        /// The rule it breaks.
        reason: &'static str,
    },
}

impl Error {
    /// The kernel's errno, where the error came from the kernel.
    pub fn errno(&self) -> Option<Errno> {
        match self {
            Self::Open { errno, .. }
            | Self::Enter { errno, .. }
            | Self::Socket { errno, .. }
            | Self::Kernel { errno, .. }
            | Self::Sysctl { errno, .. } => Some(*errno),
            Self::NotFound { .. } => Some(Errno::ENOENT),
            _ => None,
        }
    }

    /// The object exists already (EEXIST).
    pub fn is_exists(&self) -> bool {
        self.errno() == Some(Errno::EEXIST)
    }

    /// The object, or the device it was asked for, does not exist (ENOENT, ESRCH, ENODEV, ENXIO, EADDRNOTAVAIL).
    pub fn is_not_found(&self) -> bool {
        matches!(
            self.errno(),
            Some(
                Errno::ENOENT | Errno::ESRCH | Errno::ENODEV | Errno::ENXIO | Errno::EADDRNOTAVAIL
            )
        )
    }

    /// The device does not exist (ENODEV, ENXIO).
    pub fn is_no_device(&self) -> bool {
        matches!(self.errno(), Some(Errno::ENODEV | Errno::ENXIO))
    }

    /// The object is in use (EBUSY).
    pub fn is_busy(&self) -> bool {
        self.errno() == Some(Errno::EBUSY)
    }

    /// The kernel does not have the feature or the kind of device (EOPNOTSUPP, EAFNOSUPPORT).
    pub fn is_not_supported(&self) -> bool {
        matches!(self.errno(), Some(Errno::EOPNOTSUPP | Errno::EAFNOSUPPORT))
    }
}

fn in_brackets(detail: Option<&str>) -> String {
    detail
        .map(|words| format!(" ({words})"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: Errno, detail: Option<&str>) -> Error {
        Error::Kernel {
            operation: "create veth",
            object: "eth0".into(),
            errno,
            detail: detail.map(Into::into),
        }
    }

    #[test]
    fn message_carries_operation_object_errno_and_the_kernels_words() {
        assert_eq!(
            refused(Errno::EEXIST, None).to_string(),
            "cannot create veth eth0: EEXIST: File exists"
        );
        assert_eq!(
            refused(Errno::EOPNOTSUPP, Some("Unknown device type")).to_string(),
            "cannot create veth eth0: EOPNOTSUPP: Operation not supported on transport endpoint (Unknown device type)"
        );
    }

    #[test]
    fn classes_follow_the_errno() {
        assert!(refused(Errno::EEXIST, None).is_exists());
        assert!(refused(Errno::EBUSY, None).is_busy());
        assert!(
            refused(Errno::ENODEV, None).is_no_device()
                && refused(Errno::ENODEV, None).is_not_found()
        );
        assert!(
            refused(Errno::ESRCH, None).is_not_found()
                && !refused(Errno::ESRCH, None).is_no_device()
        );
        assert!(refused(Errno::EOPNOTSUPP, None).is_not_supported());
        assert!(!refused(Errno::EPERM, None).is_not_found());
        assert!(Error::NotFound { path: "/x".into() }.is_not_found());
        assert!(!Error::NotNetns { path: "/x".into() }.is_not_found());
    }
}
