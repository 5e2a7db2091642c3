//! Pins of another version of the tables.
//!
//! A map of an earlier version whose layout is still the same is taken over as it is, under this
//! version's name, and the links of an earlier version's programs likewise: the new programs go
//! into the old ones' places in one step, on the tables they had, and no connection notices. A map
//! that is laid out otherwise begins empty, and the first sync fills it. A later version is
//! refused: this build cannot know what its tables mean.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use abi::{ABI_VERSION, names};

use crate::error::{Error, Result};
use crate::pins::Pins;
use crate::sys;

/// What a map must look like to be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Kind of map.
    pub kind: u32,
    /// Bytes of a key.
    pub key: u32,
    /// Bytes of a value.
    pub value: u32,
    /// How many entries it holds.
    pub entries: u32,
}

/// What was found of an earlier version.
#[derive(Debug, Default)]
pub struct Earlier {
    directories: Vec<PathBuf>,
    /// Maps that could not be taken over, as they are laid out otherwise.
    pub changed: Vec<&'static str>,
}

impl Earlier {
    /// Whether there was anything.
    pub fn is_there(&self) -> bool {
        !self.directories.is_empty()
    }

    /// Removes what is left of it, once this version's programs are in place.
    ///
    /// # Errors
    /// When a pin cannot be removed.
    pub fn remove(&mut self) -> Result<()> {
        while let Some(directory) = self.directories.last() {
            Pins::remove_version(directory, &mut Vec::new())?;
            self.directories.pop();
        }
        Ok(())
    }
}

/// Takes over what fits of the last earlier version below `bpf_dir`. `layout` tells what this
/// build's maps look like.
///
/// # Errors
/// [`Error::Newer`] if there is a later version, with nothing changed; else when a pin cannot be
/// read or made.
pub fn adopt(bpf_dir: &Path, layout: impl Fn(&str) -> Option<Layout>) -> Result<Earlier> {
    let mut versions = Pins::versions(bpf_dir)?;
    versions.sort_unstable();
    if let Some((version, path)) = versions.last().filter(|(it, _)| *it > ABI_VERSION) {
        return Err(Error::Newer {
            path: path.clone(),
            version: *version,
            own: ABI_VERSION,
        });
    }
    versions.retain(|(version, _)| *version < ABI_VERSION);
    let mut earlier = Earlier::default();
    let own = Pins::new(bpf_dir);
    // Once this version has its maps, an earlier one is only what a removal has left.
    if let (Some((_, last)), false) = (versions.last(), own.exist()) {
        own.prepare()?;
        for name in names::MAPS {
            let pin = last.join("maps").join(name);
            let map = match sys::open_pin(&pin) {
                Ok(map) => map,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(Error::path(pin)(error)),
            };
            let is = sys::map_layout(map.as_fd()).map_err(Error::path(&pin))?;
            if Some(is) == layout(name) {
                sys::pin(map.as_fd(), &own.map(name)).map_err(Error::path(own.map(name)))?;
            } else {
                earlier.changed.push(name);
            }
        }
        take_links(&last.join("links"), &own)?;
    }
    earlier.directories = versions.into_iter().map(|(_, path)| path).collect();
    Ok(earlier)
}

/// Moves the pins of links: whoever attaches next finds them and puts new programs behind them.
fn take_links(from: &Path, own: &Pins) -> Result<()> {
    for pin in fs::read_dir(from).into_iter().flatten().flatten() {
        let name = pin.file_name();
        let to = own.links().join(&name);
        fs::rename(pin.path(), &to).map_err(Error::path(to))?;
    }
    Ok(())
}
