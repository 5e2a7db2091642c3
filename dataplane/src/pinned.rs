//! What a process without the object does with what is pinned: the plugin puts the programs on
//! the host end of a port it has made, so that a pod is served while no daemon runs.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use crate::devices::{Device, HOOKS, Role};
use crate::pins::Pins;
use crate::sys;

/// Puts the pinned programs on a device that leads to a pod. False if nothing is pinned below
/// `bpf_dir`, which is no error: then nobody wants Services here.
///
/// # Errors
/// What the kernel says; one before 6.6 takes no links to devices, and the daemon will see to it.
pub fn attach_pod(bpf_dir: &Path, device: &Device) -> io::Result<bool> {
    let pins = Pins::new(bpf_dir);
    for (hook, word) in HOOKS {
        let program = match sys::open_pin(&pins.program(Role::Pods.program(hook))) {
            Ok(program) => program,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let pin = pins.link(&format!("{word}-{}", device.index));
        match sys::open_pin(&pin) {
            // A daemon that has seen the device was faster, or its index was another's.
            Ok(link) if sys::device_link(link.as_fd())?.device == device.index => continue,
            Ok(_) => std::fs::remove_file(&pin)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let link = sys::link_device(program.as_fd(), device.index, sys::TcxHook::of(hook))?;
        match sys::pin(link.as_fd(), &pin) {
            // Pinned by a daemon since we looked: one is enough, and ours ends here.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
    }
    Ok(true)
}
