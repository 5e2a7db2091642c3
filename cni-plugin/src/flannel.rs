//! The plugin `flannel`, which is still to be written.
//!
//! ADD, CHECK and STATUS say so. DEL and GC succeed: there can be nothing to
//! remove, and a pod whose ADD was refused must still be deletable.

use serde_json::Value;

use crate::error::Error;
use crate::request::{Request, Verb};

/// Serves a request.
pub fn serve(request: &Request) -> Result<Option<Value>, Error> {
    match request.verb {
        Verb::Del | Verb::Gc => Ok(None),
        Verb::Version => Ok(Some(crate::ops::version::answer())),
        Verb::Status => Err(Error::NotAvailable(
            Error::NotImplemented("flannel").to_string(),
        )),
        Verb::Add | Verb::Check => Err(Error::NotImplemented("flannel")),
    }
}
