//! Opens the sockets on which the daemon answers.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{TcpListener, UnixListener};

use super::state_dir::Claim;

/// Why a socket cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// the control socket cannot be made
    #[error("control socket {}: {source}", path.display())]
    Control {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// something that is no socket has the control socket's name
    #[error("control socket {}: a file that is no socket is in the way", path.display())]
    InTheWay {
        /// The file.
        path: PathBuf,
    },
    /// the address cannot be listened on
    #[error("{setting} {address}: {source}")]
    Listen {
        /// The setting that names it.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The control socket; its file goes away with it.
#[derive(Debug)]
pub struct Control {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl Drop for Control {
    fn drop(&mut self) {
        // A file left behind is replaced by the next daemon.
        let _ = fs::remove_file(&self.path);
    }
}

/// Opens `<state-dir>/berthd.sock` with mode 0600. The claim proves that a socket file found there is a dead daemon's;
/// the new one is made beside it and renamed over it, so that there is no moment without, or with a wider mode.
pub fn bind_control(_claim: &Claim, state_dir: &Path) -> Result<Control, ApiError> {
    let path = state_dir.join("berthd.sock");
    let failed = |source| ApiError::Control {
        path: path.clone(),
        source,
    };
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(ApiError::InTheWay { path });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    // Shorter than the name it gets in the end, so that a directory that is too deep is told for that name alone.
    let beside = state_dir.join(".b.sock");
    match fs::remove_file(&beside) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(&beside).map_err(failed)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    fs::rename(&beside, &path).map_err(failed)?;
    Ok(Control { listener, path })
}

/// Listens on the address of a setting and tells the port that was picked.
pub async fn bind_tcp(
    setting: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ApiError> {
    let failed = |source| ApiError::Listen {
        setting,
        address,
        source,
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_daemons_socket_is_replaced_and_removed_at_the_end() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("berthd.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bind"));
        let claim = Claim::take(dir.path()).expect("free");
        let control = bind_control(&claim, dir.path()).expect("replaced");
        let mode = fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(std::os::unix::net::UnixStream::connect(&path).is_ok());
        drop(control);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("berthd.sock");
        fs::write(&path, "precious").expect("write");
        let claim = Claim::take(dir.path()).expect("free");
        let error = bind_control(&claim, dir.path()).expect_err("in the way");
        assert!(matches!(error, ApiError::InTheWay { .. }), "{error}");
        assert_eq!(fs::read_to_string(&path).expect("kept"), "precious");
    }

    #[tokio::test]
    async fn a_taken_port_is_named_with_its_setting() {
        let any = "127.0.0.1:0".parse().expect("address");
        let (_first, bound) = bind_tcp("healthz", any).await.expect("free");
        let error = bind_tcp("healthz", bound).await.expect_err("taken");
        assert!(
            error.to_string().starts_with(&format!("healthz {bound}: ")),
            "{error}"
        );
    }
}
