//! Programs on devices: tcx links where the kernel has them, filters of a clsact qdisc else, and
//! XDP.
//!
//! Links are pinned under the index of their device: its name may have a dot, which a BPF file
//! system does not take, and may change.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use abi::names;
use aya::programs::links::FdLink;
use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcHandle, qdisc_add_clsact,
    qdisc_detach_program,
};
use aya::programs::{LinkOrder, SchedClassifier, TcAttachType, Xdp, XdpMode};

use crate::error::{Error, Result};
use crate::loader::{Dataplane, io_error};
use crate::pins::remove;
use crate::sys;

/// A device of the node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Device {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
}

/// What a device leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// To pods: the host end of a routed port, or the own port of a bridge.
    Pods,
    /// Outside.
    Outside,
}

/// How packets from outside are met by XDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XdpChoice {
    /// By the driver if it can, else not.
    Auto,
    /// By the driver.
    Native,
    /// By the kernel in the driver's place.
    Generic,
    /// Not at all.
    Off,
}

/// Priority and handle of the filters on kernels without tcx: the same in each run, so that the
/// next one replaces them.
const PRIORITY: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, 1);

/// The hooks of a device, with the words of their pins.
pub(crate) const HOOKS: [(TcAttachType, &str); 2] = [
    (TcAttachType::Ingress, "ingress"),
    (TcAttachType::Egress, "egress"),
];

impl Role {
    pub(crate) fn program(self, hook: TcAttachType) -> &'static str {
        match (self, hook) {
            (Self::Pods, TcAttachType::Ingress) => "from_pod",
            (Self::Outside, TcAttachType::Ingress) => "from_outside",
            _ => "to_device",
        }
    }
}

impl Dataplane {
    /// Puts the programs for its role on a device, in place of those an earlier run has put
    /// there: each in one step, so that no packet meets none.
    ///
    /// # Errors
    /// When the kernel refuses a program or a link.
    pub fn attach_device(&mut self, device: &Device, role: Role) -> Result<()> {
        for (hook, word) in HOOKS {
            let name = role.program(hook);
            let pin = self.pins.link(&format!("{word}-{}", device.index));
            let program = self.classifier(name)?;
            attach(program, device, hook, &pin).map_err(|source| Error::Attach {
                name,
                place: PathBuf::from(&device.name),
                source,
            })?;
        }
        Ok(())
    }

    /// Pins the programs for devices of pods, in place of an earlier run's: see
    /// [`crate::pinned`].
    ///
    /// # Errors
    /// When the kernel refuses a program or a pin.
    pub fn pin_programs(&mut self) -> Result<()> {
        for (hook, _) in HOOKS {
            let name = Role::Pods.program(hook);
            let pin = self.pins.program(name);
            // Renamed into place: there is always one.
            let fresh = self.pins.program(&format!("{name}-new"));
            remove(&fresh)?;
            let failed = |source| Error::Attach {
                name,
                place: pin.clone(),
                source,
            };
            let program = self.classifier(name)?;
            let fd = program.fd().map_err(io_error).map_err(failed)?;
            sys::pin(fd.as_fd(), &fresh).map_err(failed)?;
            fs::rename(&fresh, &pin).map_err(failed)?;
        }
        Ok(())
    }

    /// Puts the XDP program on a device, or takes it off. Whether it is on.
    ///
    /// # Errors
    /// When the kernel refuses what was asked for by name.
    pub fn attach_xdp(&mut self, device: &Device, choice: XdpChoice) -> Result<bool> {
        let pin = self.pins.link(&format!("xdp-{}", device.index));
        let mode = match choice {
            XdpChoice::Off => {
                remove(&pin)?;
                return Ok(false);
            }
            XdpChoice::Auto | XdpChoice::Native => XdpMode::Driver,
            XdpChoice::Generic => XdpMode::Skb,
        };
        let name = names::XDP_PROGRAM;
        let program = self.xdp()?;
        let attached = attach_xdp(program, device, mode, &pin);
        match attached {
            Ok(()) => Ok(true),
            Err(_) if choice == XdpChoice::Auto => Ok(false),
            Err(source) => Err(Error::Attach {
                name,
                place: PathBuf::from(&device.name),
                source,
            }),
        }
    }

    /// Takes the programs off all devices but those with these indexes.
    ///
    /// # Errors
    /// When a pin cannot be removed.
    pub fn keep_devices(&self, wanted: &BTreeSet<u32>) -> Result<()> {
        let directory = self.pins.links();
        let entries = fs::read_dir(&directory).map_err(Error::path(&directory))?;
        for pin in entries.flatten().map(|entry| entry.path()) {
            let name = pin.file_name().and_then(|name| name.to_str());
            let index = name
                .and_then(|name| name.split_once('-'))
                .filter(|(word, _)| matches!(*word, "ingress" | "egress" | "xdp"))
                .and_then(|(_, index)| index.parse::<u32>().ok());
            if index.is_some_and(|index| !wanted.contains(&index)) {
                remove(&pin)?;
            }
        }
        Ok(())
    }

    fn classifier(&mut self, name: &'static str) -> Result<&mut SchedClassifier> {
        let refused = |source| Error::Program {
            name: name.to_owned(),
            source: Box::new(source),
        };
        let program = self.ebpf.program_mut(name).ok_or(Error::Missing(name))?;
        let program: &mut SchedClassifier = program.try_into().map_err(refused)?;
        if program.fd().is_err() {
            program.load().map_err(refused)?;
        }
        Ok(program)
    }

    fn xdp(&mut self) -> Result<&mut Xdp> {
        let name = names::XDP_PROGRAM;
        let refused = |source| Error::Program {
            name: name.to_owned(),
            source: Box::new(source),
        };
        let program = self.ebpf.program_mut(name).ok_or(Error::Missing(name))?;
        let program: &mut Xdp = program.try_into().map_err(refused)?;
        if program.fd().is_err() {
            program.load().map_err(refused)?;
        }
        Ok(program)
    }
}

/// Removes the filters that [`Dataplane::attach_device`] makes on kernels without links; those
/// that were there.
pub fn remove_filters(device: &str) -> Vec<&'static str> {
    let mut removed = Vec::new();
    for (hook, _) in HOOKS {
        for name in names::PACKET_PROGRAMS {
            // An error is that there is none, or no qdisc for any.
            if qdisc_detach_program(device, hook, name).is_ok() {
                removed.push(name);
            }
        }
    }
    removed
}

fn attach(
    program: &mut SchedClassifier,
    device: &Device,
    hook: TcAttachType,
    pin: &Path,
) -> io::Result<()> {
    if update(pin, device, program.fd().map_err(io_error)?.as_fd())? {
        return Ok(());
    }
    let options = TcAttachOptions::TcxOrder(LinkOrder::first());
    match program.attach_with_options(&device.name, hook, options) {
        Ok(id) => {
            let link = program.take_link(id).map_err(io_error)?;
            let link = FdLink::try_from(link).map_err(io::Error::other)?;
            if link.pin(pin).is_err() {
                // The plugin was faster: see `crate::pinned`. Ours ends here.
                let fd = program.fd().map_err(io_error)?;
                if !update(pin, device, fd.as_fd())? {
                    let text = format!("{} cannot be pinned", pin.display());
                    return Err(io::Error::other(text));
                }
            }
            Ok(())
        }
        Err(error) => match io_error(error) {
            // A kernel before 6.6 does not know the kind of link.
            error if error.raw_os_error() == Some(nix::libc::EINVAL) => {
                filter(program, device, hook)
            }
            error => Err(error),
        },
    }
}

/// A filter of a clsact qdisc: it stays when this process ends, and the next one replaces it.
fn filter(program: &mut SchedClassifier, device: &Device, hook: TcAttachType) -> io::Result<()> {
    // There may be one, of an earlier run or of somebody else; what it lacks the filter tells.
    let qdisc = qdisc_add_clsact(&device.name);
    let place = SchedClassifierLink::attached(&device.name, hook, PRIORITY, HANDLE, None)?;
    let id = match program.attach_to_link(place) {
        Ok(id) => id,
        // None to replace.
        Err(_) => {
            let options = TcAttachOptions::Netlink(NlOptions {
                priority: PRIORITY,
                handle: HANDLE,
                ..NlOptions::default()
            });
            program
                .attach_with_options(&device.name, hook, options)
                .map_err(|error| match &qdisc {
                    Ok(()) => io_error(error),
                    Err(qdisc) => io::Error::other(format!("{error}; clsact qdisc: {qdisc}")),
                })?
        }
    };
    let link = program.take_link(id).map_err(io_error)?;
    // Dropped, it would be taken off.
    std::mem::forget(link);
    Ok(())
}

fn attach_xdp(program: &mut Xdp, device: &Device, mode: XdpMode, pin: &Path) -> io::Result<()> {
    if update(pin, device, program.fd().map_err(io_error)?.as_fd())? {
        return Ok(());
    }
    let id = program
        .attach_to_if_index(device.index, mode)
        .map_err(io_error)?;
    let link = program.take_link(id).map_err(io_error)?;
    let link = FdLink::try_from(link).map_err(io::Error::other)?;
    link.pin(pin).map_err(io::Error::other)?;
    Ok(())
}

/// Puts a program behind the link that is pinned, if that is one to the device; a link to one
/// that is gone is removed.
fn update(pin: &Path, device: &Device, program: std::os::fd::BorrowedFd<'_>) -> io::Result<bool> {
    let link = match sys::open_pin(pin) {
        Ok(link) => link,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if sys::device_link(link.as_fd())?.device != device.index {
        fs::remove_file(pin)?;
        return Ok(false);
    }
    sys::update_link(link.as_fd(), program)?;
    Ok(true)
}
