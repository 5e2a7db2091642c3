//! Taps that nobody holds yet, made ready for the process that will open them by name.
//!
//! vswitchd opens a tap of the right name in its namespace where there is one, and makes it otherwise. So a tap can be
//! put there while vswitchd is away, together with all that lies over it.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;

use crate::netns::errno_of;
use crate::{Error, Netns, Result, check_name};

const DEVICE: &str = "/dev/net/tun";

mod ioctl {
    //! The two calls that make a tap and keep it.
    nix::ioctl_readwrite_bad!(
        set_interface,
        nix::request_code_write!(b'T', 202, size_of::<nix::libc::c_int>()),
        nix::libc::ifreq
    );
    nix::ioctl_write_int!(set_persistent, b'T', 203);
}

impl Netns {
    /// Makes a tap in this namespace that lives on without a holder. It is down and has no carrier until a process opens
    /// it. False if there is one of that name that a process holds: that is left alone.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an impossible name, [`Error::Enter`], or what the kernel says: ENOENT without
    /// `/dev/net/tun`, EINVAL for a device of that name that is no tap.
    pub fn create_tap(&self, name: &str) -> Result<bool> {
        check_name(name)?;
        match self.enter(|| create(name))? {
            Ok(()) => Ok(true),
            Err(Errno::EBUSY) => Ok(false),
            Err(errno) => Err(Error::Kernel {
                operation: "create tap",
                object: name.to_owned(),
                errno,
                detail: None,
            }),
        }
    }
}

fn create(name: &str) -> nix::Result<()> {
    let file = File::options()
        .read(true)
        .write(true)
        .open(Path::new(DEVICE))
        .map_err(|error| errno_of(&error))?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: TUNSETIFF reads and writes an ifreq, and `request` is one, alive and exclusive for the call; its name
    // ends with a zero, as `check_name` allows 15 of its 16 bytes.
    unsafe { ioctl::set_interface(file.as_raw_fd(), &raw mut request) }?;
    // SAFETY: TUNSETPERSIST takes an integer by value and touches no memory.
    unsafe { ioctl::set_persistent(file.as_raw_fd(), 1) }?;
    Ok(())
}
