//! Sysctls of a namespace: the files below `/proc/sys/net`, which the kernel resolves for the thread that opens them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::netns::errno_of;
use crate::{Error, Netns, Result};

impl Netns {
    /// Reads a sysctl of this namespace, without its trailing newline. `key` is its path below `/proc/sys`, such as
    /// `net/ipv4/conf/eth0/forwarding`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is not a plain path below `net`, [`Error::Enter`], or [`Error::Sysctl`]
    /// naming the key.
    pub fn sysctl_get(&self, key: &str) -> Result<String> {
        let path = path_of(key)?;
        let text = self
            .enter(|| fs::read_to_string(path))?
            .map_err(|error| self.sysctl_error("read", key, &error))?;
        Ok(text.trim_end().to_owned())
    }

    /// Writes a sysctl of this namespace; see [`Netns::sysctl_get`] for the key.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a key that is not a plain path below `net`, [`Error::Enter`], or [`Error::Sysctl`]
    /// naming the key: ENOENT for one that does not exist, EINVAL for a value it does not take.
    pub fn sysctl_set(&self, key: &str, value: &str) -> Result<()> {
        let path = path_of(key)?;
        // One write call: the kernel takes each as a value of its own. The file is never created.
        self.enter(|| {
            let mut file = fs::File::options().write(true).open(path)?;
            file.write_all(value.as_bytes())
        })?
        .map_err(|error| self.sysctl_error("write", key, &error))
    }

    fn sysctl_error(&self, operation: &'static str, key: &str, error: &std::io::Error) -> Error {
        Error::Sysctl {
            operation,
            key: key.to_owned(),
            path: self.path().to_owned(),
            errno: errno_of(error),
        }
    }
}

/// The file of a sysctl. Keys come from configuration, so none may lead out of `/proc/sys/net`.
fn path_of(key: &str) -> Result<PathBuf> {
    let invalid = |reason| {
        Err(Error::Invalid {
            what: "sysctl",
            value: key.to_owned(),
            reason,
        })
    };
    let mut components = key.split('/');
    if components.next() != Some("net") || components.clone().next().is_none() {
        return invalid("only keys below net/ belong to a network namespace");
    }
    for component in components {
        if component.is_empty() || component == "." || component == ".." || component.contains('\0')
        {
            return invalid("it is not a plain path");
        }
    }
    Ok(Path::new("/proc/sys").join(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_with_dots_in_device_names_pass() {
        let path = path_of("net/ipv4/conf/eth0.100/forwarding").unwrap();
        assert_eq!(
            path,
            Path::new("/proc/sys/net/ipv4/conf/eth0.100/forwarding")
        );
    }

    #[test]
    fn keys_that_escape_are_refused_by_name() {
        for key in [
            "",
            "net",
            "net/",
            "/net/ipv4/ip_forward",
            "net//ipv4",
            "net/../kernel/core_pattern",
            "net/ipv4/../../kernel/core_pattern",
            "net/./ipv4",
            "net/ipv4/..",
            "kernel/core_pattern",
            "net.ipv4.ip_forward",
            "network/x",
            "net/ipv4/\0",
        ] {
            let error = path_of(key).unwrap_err();
            assert!(
                matches!(&error, Error::Invalid { value, .. } if value == key),
                "{error}"
            );
        }
    }
}
