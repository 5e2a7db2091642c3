//! STATUS: could an ADD work now.
//!
//! Everything that fails here is code 50, whatever an ADD would say of it: the node
//! is not ready for pods.

use attachment::Store;

use crate::config::Config;
use crate::error::Error;
use crate::request::Request;
use crate::{ipam_source, masquerade};

/// Serves STATUS.
pub async fn run(request: &Request) -> Result<(), Error> {
    let config = Config::parse(request)?;
    if let Some(wanted) = &config.switch {
        let socket = &config.places.socket_file;
        let bridge = async {
            ovs::Switch::connect(socket)
                .await?
                .bridge(&wanted.bridge)
                .await
        };
        match bridge.await {
            Ok(Some(_)) => {}
            Ok(None) => {
                let error = attachment::Error::NoBridge {
                    bridge: wanted.bridge.clone(),
                    socket: socket.clone(),
                };
                return Err(Error::NotAvailable(error.to_string()));
            }
            Err(error) => return Err(Error::NotAvailable(error.to_string())),
        }
    }
    Store::open(&config.places.state_dir)
        .map_err(|error| Error::NotAvailable(error.to_string()))?;
    if config.ip_masq {
        masquerade::ensure_available()?;
    }
    ipam_source::status(request, &config.ipam)
}
