//! The container's network namespace, opened and told from the plugin's own.

use netlink::Netns;

use crate::error::Error;
use crate::request::Request;

/// Opens the namespace of ADD and CHECK, which must be one and not the plugin's.
pub fn open(request: &Request) -> Result<Netns, Error> {
    let path = request.netns.as_deref().unwrap_or(std::path::Path::new(""));
    let sandbox = Netns::open(path).map_err(|error| Error::Netns(format!("CNI_NETNS: {error}")))?;
    refuse_own(request, &sandbox)?;
    Ok(sandbox)
}

/// Opens the namespace of DEL, which may be gone.
///
/// A path that exists but is no namespace counts as gone too: a runtime that
/// unmounts the namespace leaves the file it was mounted on.
pub fn open_if_there(request: &Request) -> Result<Option<Netns>, Error> {
    let Some(path) = request.netns.as_deref() else {
        return Ok(None);
    };
    match Netns::open(path) {
        Ok(sandbox) => {
            refuse_own(request, &sandbox)?;
            Ok(Some(sandbox))
        }
        Err(error) => {
            tracing::debug!(%error, "container's namespace is gone");
            Ok(None)
        }
    }
}

fn refuse_own(request: &Request, sandbox: &Netns) -> Result<(), Error> {
    let own = Netns::current()?;
    if request.netns_override || own.id() != sandbox.id() {
        return Ok(());
    }
    Err(Error::Netns(format!(
        "CNI_NETNS {} is the plugin's own network namespace",
        sandbox.path().display()
    )))
}
