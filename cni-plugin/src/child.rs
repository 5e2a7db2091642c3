//! This program again, as a child that no one waits for.

use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

/// Starts the child with `arguments`, and with nothing of ours open but `stdin`: a
/// runtime waits for the end of file on the pipes it gave us.
///
/// # Errors
/// When the system starts no process.
pub fn start<A: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = A>,
    stdin: Stdio,
) -> io::Result<Child> {
    Command::new("/proc/self/exe")
        .arg0("berth")
        .args(arguments)
        .stdin(stdin)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}
