//! Loading: maps are taken over where they are pinned, programs are always this build's.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use abi::names;
use aya::programs::links::FdLink;
use aya::programs::{CgroupAttachMode, CgroupSockAddr, ProgramError};
use aya::{Ebpf, EbpfLoader};

use crate::error::{Error, Result};
use crate::flows::Flows;
use crate::maps::Maps;
use crate::migrate::{self, Earlier, Layout};
use crate::node::NodeTables;
use crate::pins::{Pins, remove};
use crate::sys;

/// The object, as the build made it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("BERTH_EBPF_OBJECT"));

/// The loaded programs.
#[derive(Debug)]
pub struct Dataplane {
    pub(crate) ebpf: Ebpf,
    pub(crate) pins: Pins,
    /// What there is of earlier versions.
    pub earlier: Earlier,
}

impl Dataplane {
    /// Loads the object, with the maps that are pinned below `bpf_dir`; those that are not
    /// are made and pinned. `cgroup` is where sockets will be attached, if they will.
    ///
    /// # Errors
    /// When the first is no BPF file system or the second not there, with nothing made; or
    /// when the kernel refuses the maps.
    pub fn load(bpf_dir: &Path, cgroup: Option<&Path>) -> Result<(Self, Maps)> {
        if let Some(cgroup) = cgroup {
            File::open(cgroup).map_err(Error::path(cgroup))?;
        }
        let pins = Pins::new(bpf_dir);
        pins.check_place()?;
        let object = aya_obj::Object::parse(OBJECT).map_err(aya::EbpfError::from)?;
        let earlier = migrate::adopt(bpf_dir, |name| {
            let map = object.maps.get(name)?;
            Some(Layout {
                kind: map.map_type(),
                key: map.key_size(),
                value: map.value_size(),
                entries: map.max_entries(),
            })
        })?;
        pins.prepare()?;
        let mut loader = EbpfLoader::new();
        for name in names::MAPS {
            loader.map_pin_path(name, pins.map(name));
        }
        let mut ebpf = loader.load(OBJECT)?;
        let maps = Maps::take(&mut ebpf)?;
        let dataplane = Self {
            ebpf,
            pins,
            earlier,
        };
        Ok((dataplane, maps))
    }

    /// The tables of the node. To be called once.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn node_tables(&mut self) -> Result<NodeTables> {
        NodeTables::take(&mut self.ebpf)
    }

    /// The table of flows. To be called once.
    ///
    /// # Errors
    /// When the object lacks it.
    pub fn flows(&mut self) -> Result<Flows> {
        Flows::take(&mut self.ebpf)
    }

    /// Puts the programs of the socket load balancer on a cgroup, in place of those an
    /// earlier run has put there: each in one step, so that no call meets none.
    ///
    /// # Errors
    /// When the kernel refuses a program or a link.
    pub fn attach_sockets(&mut self, cgroup: &Path) -> Result<()> {
        let directory = File::open(cgroup).map_err(Error::path(cgroup))?;
        let inode = directory.metadata().map_err(Error::path(cgroup))?.ino();
        for name in names::SOCKET_PROGRAMS {
            let pin = self.pins.link(name);
            let program = self.socket_program(name)?;
            let failed = |source| Error::Attach {
                name,
                place: cgroup.to_owned(),
                source,
            };
            if take_over(program, &pin, inode).map_err(failed)? {
                continue;
            }
            // A link allows others beside it by itself, and takes no flags.
            let id = program
                .attach(&directory, CgroupAttachMode::Single)
                .map_err(|error| failed(io_error(error)))?;
            let link = program
                .take_link(id)
                .map_err(|error| failed(io_error(error)))?;
            let link: FdLink = link
                .try_into()
                .map_err(|error| failed(std::io::Error::other(format!("{error}"))))?;
            link.pin(&pin)
                .map_err(|error| failed(std::io::Error::other(error)))?;
        }
        Ok(())
    }

    /// Takes the programs of the socket load balancer off again, wherever they are.
    ///
    /// # Errors
    /// When a pin cannot be removed.
    pub fn detach_sockets(&self) -> Result<()> {
        for name in names::SOCKET_PROGRAMS {
            remove(&self.pins.link(name))?;
        }
        Ok(())
    }

    /// The socket programs that do not really run for processes of `cgroup`, although they
    /// should: another program may hide them, or the cgroup may be another's by now.
    ///
    /// # Errors
    /// When the kernel cannot be asked.
    pub fn ineffective_sockets(&self, cgroup: &Path) -> Result<Vec<&'static str>> {
        let directory = File::open(cgroup).map_err(Error::path(cgroup))?;
        let mut missing = Vec::new();
        for name in names::SOCKET_PROGRAMS {
            let asked = || -> std::io::Result<bool> {
                let link = sys::open_pin(&self.pins.link(name))?;
                let link = sys::cgroup_link(link.as_fd())?;
                let running = sys::effective(directory.as_fd(), link.hook)?;
                Ok(running.contains(&link.program))
            };
            match asked() {
                Ok(true) => {}
                Ok(false) => missing.push(name),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing.push(name),
                Err(source) => {
                    return Err(Error::Attach {
                        name,
                        place: cgroup.to_owned(),
                        source,
                    });
                }
            }
        }
        Ok(missing)
    }

    fn socket_program(&mut self, name: &'static str) -> Result<&mut CgroupSockAddr> {
        let refused = |source| Error::Program {
            name: name.to_owned(),
            source: Box::new(source),
        };
        let program = self.ebpf.program_mut(name).ok_or(Error::Missing(name))?;
        let program: &mut CgroupSockAddr = program.try_into().map_err(refused)?;
        if program.fd().is_err() {
            program.load().map_err(refused)?;
        }
        Ok(program)
    }
}

/// Puts `program` behind the link that is pinned at `pin`, if that is a link to the cgroup
/// with that inode; a link to another is removed.
fn take_over(program: &CgroupSockAddr, pin: &PathBuf, cgroup: u64) -> std::io::Result<bool> {
    let link = match sys::open_pin(pin) {
        Ok(link) => link,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if sys::cgroup_link(link.as_fd())?.cgroup != cgroup {
        std::fs::remove_file(pin)?;
        return Ok(false);
    }
    let fd = program.fd().map_err(io_error)?;
    sys::update_link(link.as_fd(), fd.as_fd())?;
    Ok(true)
}

pub(crate) fn io_error(error: ProgramError) -> std::io::Error {
    match error {
        ProgramError::SyscallError(error) => error.io_error,
        other => std::io::Error::other(other),
    }
}
