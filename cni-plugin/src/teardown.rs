//! Taking an attachment down, for DEL and for GC: errors are collected and the rest
//! goes on, and the record is removed last, when nothing is left that it describes.

use attachment::record::{Port, SwitchPort};
use attachment::{Attachment, DetachRequest, Host, Key, Phase, Store, StoreError, names};
use netlink::Netns;

use crate::config::Cleanup;
use crate::error::Error;
use crate::{deletion, masquerade};

/// What is taken down, and what is known about it.
pub struct Teardown<'a> {
    /// The root namespace.
    pub host: &'a Host,
    /// The records.
    pub store: &'a Store,
    /// What the configuration says.
    pub cleanup: &'a Cleanup,
    /// The attachment.
    pub key: &'a Key,
    /// The pod's namespace, if the runtime named one that is there.
    pub sandbox: Option<&'a Netns>,
}

impl Teardown<'_> {
    /// Takes everything down that is not IPAM's. True if the record, if there was
    /// one, may be removed.
    pub async fn run(&self, errors: &mut Vec<Error>) -> bool {
        let record = self
            .record(errors)
            .map(|record| self.deleting(record, errors));
        if let Err(error) = self.ahead(record.as_ref()).await {
            tracing::debug!(key = %self.key, %error, "not taken down ahead");
        }
        let socket = self.cleanup.places.socket_file.as_path();
        let request = DetachRequest {
            key: self.key,
            record: record.as_ref(),
            netns: self.sandbox.map(Netns::path),
            socket: self.cleanup.on_switch.then_some(socket),
        };
        let detached = attachment::detach(self.host, self.store, &request).await;
        let only_away = detached.only_switch_away();
        let mut is_clean = detached.errors.is_empty() || (only_away && record.is_none());
        if only_away {
            // A record stays, in phase `deleting`: the daemon, or GC, removes the port
            // when the switch is back. The pod need not wait for that; and without a
            // record there was no ADD that got as far as the switch.
            for error in detached.errors {
                tracing::warn!(key = %self.key, %error, "the port is removed later");
            }
        } else {
            errors.extend(detached.errors.into_iter().map(Error::from));
        }
        let masqueraded = match &record {
            Some(record) => !record.masquerade.is_empty(),
            None => self.cleanup.ip_masq,
        };
        if masqueraded
            && let Err(error) = masquerade::remove(self.store.state_dir(), &self.key.port_name())
        {
            errors.push(error);
            is_clean = false;
        }
        is_clean
    }

    /// Takes the devices down without waiting for all that their end entails; a
    /// port's row first, lest the switch takes their disappearance for a failure. What
    /// is not done here, `detach` does, and tells why it could not.
    async fn ahead(&self, record: Option<&Attachment>) -> Result<(), Error> {
        let (host, sandbox, key) = (self.host, self.sandbox, self.key);
        match record.map(|record| &record.port) {
            Some(Port::Routed(_)) => deletion::ahead(host, sandbox, key).await,
            Some(Port::Veth(port)) => {
                self.remove_row(port).await?;
                deletion::ahead(host, sandbox, key).await
            }
            Some(Port::Rename(port) | Port::Macvlan(port)) => {
                self.remove_row(port).await?;
                deletion::by_switch(host, sandbox, key, &[&key.ifname]).await
            }
            Some(Port::Bond(port)) => {
                self.remove_row(port).await?;
                // The bond itself is not the switch's to delete.
                deletion::by_switch(host, sandbox, key, &[&key.port_name()]).await
            }
            None if !self.cleanup.on_switch => deletion::ahead(host, sandbox, key).await,
            None => Ok(()),
        }
    }

    /// Removes the port's row, without waiting for the switch to act on it.
    async fn remove_row(&self, port: &SwitchPort) -> Result<(), Error> {
        let id = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let owner = ovs::ExternalIds::from([
            id(names::OWNER_KEY, names::OWNER),
            id(names::CONTAINER_KEY, &self.key.container_id),
            id(names::IFNAME_KEY, &self.key.ifname),
        ]);
        let switch = ovs::Switch::connect(&port.socket).await?;
        switch.del_port(&self.key.port_name(), &owner).await?;
        Ok(())
    }

    /// The record in phase `deleting`, written so before the first thing is removed:
    /// from here on nobody repairs what is missing.
    fn deleting(&self, mut record: Attachment, errors: &mut Vec<Error>) -> Attachment {
        if record.phase != Phase::Deleting {
            record.phase = Phase::Deleting;
            if let Err(error) = self.store.write(&record) {
                errors.push(error.into());
            }
        }
        record
    }

    /// The record, if it can be read and is of this attachment.
    fn record(&self, errors: &mut Vec<Error>) -> Option<Attachment> {
        match self.store.read(self.key) {
            Ok(record) => record,
            Err(error @ (StoreError::Corrupt { .. } | StoreError::Foreign { .. })) => {
                tracing::warn!(key = %self.key, %error, "taken down without its record");
                None
            }
            Err(error) => {
                errors.push(error.into());
                None
            }
        }
    }
}
