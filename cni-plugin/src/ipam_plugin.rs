//! The IPAM plugin, as `berth-ipam` and as a stand-in for `host-local`: the same
//! configuration, the same store, and what upstream's does not do, GC and STATUS.

use serde_json::Value;

use crate::config::{self, IpamSource};
use crate::error::Error;
use crate::ipam_source;
use crate::request::{Request, Verb};

/// Serves a request.
pub fn serve(request: &Request) -> Result<Option<Value>, Error> {
    const SOURCE: &IpamSource = &IpamSource::InProcess;
    match request.verb {
        Verb::Add => {
            let result = ipam_source::add(request, SOURCE)?;
            Ok(Some(result.to_json(request.version)))
        }
        Verb::Del => ipam_source::del(request, SOURCE).map(|()| None),
        Verb::Check => ipam_source::check(request, SOURCE).map(|()| None),
        Verb::Gc => {
            if let Some(valid) = config::valid_attachments(request)? {
                ipam_source::gc(request, SOURCE, &valid)?;
            }
            Ok(None)
        }
        Verb::Status => ipam_source::status(request, SOURCE).map(|()| None),
        Verb::Version => Ok(Some(crate::ops::version::answer())),
    }
}
