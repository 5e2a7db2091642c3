//! Lets a veth take its packets in bulk, as the driver of a card does: then it also takes frames that never were a
//! buffer of the kernel's.

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use anyhow::{Context, Result, ensure};
use nix::libc;

/// The command, and the one of its commands that sets it.
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const SET: u32 = 0x2c;

/// Turns it on for a device of this thread's namespace.
///
/// # Errors
/// When there is no such device, or it cannot.
pub fn turn_on(device: &str) -> Result<()> {
    #[repr(C)]
    struct Value {
        command: u32,
        value: u32,
    }
    #[repr(C)]
    struct Request {
        name: [u8; 16],
        data: *mut Value,
        pad: [u64; 2],
    }
    ensure!(device.len() < 16, "{device} is no name of a device");
    let mut value = Value {
        command: SET,
        value: 1,
    };
    let mut request = Request {
        name: [0; 16],
        data: &raw mut value,
        pad: [0; 2],
    };
    request.name[..device.len()].copy_from_slice(device.as_bytes());
    let socket = UdpSocket::bind("127.0.0.1:0").or_else(|_| UdpSocket::bind("0.0.0.0:0"))?;
    // SAFETY: request and value outlive the call, and are as it wants them.
    let answer = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    if answer != 0 {
        return Err(io::Error::last_os_error()).context(format!("GRO of {device}"));
    }
    Ok(())
}
