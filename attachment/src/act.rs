//! Carries actions out, one at a time, under the attachment's lock.
//!
//! Each action starts from whatever it finds, so it may be killed at any step and
//! repeated. The record is read again under the lock: a DEL may have come between the
//! plan and the deed.

use std::path::Path;

use crate::action::Action;
use crate::attach::gateways;
use crate::detach::{DetachRequest, detach};
use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::l3;
use crate::names;
use crate::ports::{Ports, set_no_flood};
use crate::record::{Attachment, Datapath, Key, Phase};
use crate::store::Store;
use crate::strategy::{Strategy, bond, macvlan, rename, rename_kernel, routed, veth};

/// What came of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Carried out.
    Done,
    /// A plugin is at work on the attachment; look again later.
    Busy,
    /// The attachment is gone or on its way out; nothing was done.
    Gone,
}

/// Carries out actions.
#[derive(Debug)]
pub struct Actor<'a> {
    host: &'a Host,
    store: &'a Store,
}

impl<'a> Actor<'a> {
    /// An actor in the root namespace `host` over the records of `store`.
    pub fn new(host: &'a Host, store: &'a Store) -> Self {
        Self { host, store }
    }

    /// Carries out one action.
    ///
    /// # Errors
    /// Whatever stopped it; what was done so far stays, and the next look plans the
    /// rest.
    pub async fn act(&self, action: &Action) -> Result<Outcome> {
        match action {
            Action::EnsureBridge {
                socket,
                bridge,
                datapath,
            } => self.ensure_bridge(socket, bridge, *datapath).await,
            Action::DeleteOrphan { socket, port, .. } => {
                let ports = Ports::connect(socket).await?;
                ports.remove_orphan(port, self.store.state_dir()).await?;
                Ok(Outcome::Done)
            }
            Action::SweepAside { keys } => self.sweep(keys).await,
            Action::LookAgain { .. } | Action::Report { .. } => Ok(Outcome::Done),
            Action::Release { key } => self.release(key).await,
            Action::AddPort { key }
            | Action::CompletePort { key }
            | Action::RecreatePort { key }
            | Action::SetNoFlood { key, .. }
            | Action::LearnNoFlood { key, .. }
            | Action::StandIn { key }
            | Action::Announce { key }
            | Action::MoveIn { key }
            | Action::Rebuild { key }
            | Action::RestoreHost { key, .. }
            | Action::RestorePod { key, .. } => self.on_attachment(key, action).await,
        }
    }

    async fn on_attachment(&self, key: &Key, action: &Action) -> Result<Outcome> {
        let Some(lock) = self.store.try_lock(key)? else {
            return Ok(Outcome::Busy);
        };
        let Some(mut record) = self.store.read(key)? else {
            // DEL has retired the lock's file, and this look has made it anew.
            lock.retire();
            return Ok(Outcome::Gone);
        };
        if record.phase != Phase::Ready {
            return Ok(Outcome::Gone);
        }
        match action {
            Action::AddPort { .. } => self.add_port(&mut record).await?,
            Action::CompletePort { .. } => ports_of(&record).await?.complete(&record).await?,
            Action::RecreatePort { .. } => {
                let ports = ports_of(&record).await?;
                ports.let_go(&record).await?;
                ports.take_up(&record).await?;
            }
            Action::SetNoFlood { .. } => set_no_flood(&record).await?,
            Action::LearnNoFlood { off, .. } => {
                if let Some(port) = record.port.switch_mut() {
                    port.no_flood = *off;
                    self.store.write(&record)?;
                }
            }
            Action::StandIn { .. } => {
                let inside = Inside::open(&record)?;
                rename::stand_in(self.host, &inside, &record).await?;
            }
            Action::Announce { .. } => {
                let inside = Inside::open(&record)?;
                l3::ask_again(&inside, &record).await?;
            }
            Action::MoveIn { .. } => self.move_in(&record).await?,
            Action::Rebuild { .. } => self.rebuild(&record).await?,
            Action::RestoreHost { .. } => self.restore_host(&record).await?,
            Action::RestorePod { .. } => restore_pod(&record).await?,
            _ => return Err(not_applicable(action, &record)),
        }
        if matches!(
            action,
            Action::StandIn { .. }
                | Action::Announce { .. }
                | Action::MoveIn { .. }
                | Action::Rebuild { .. }
        ) {
            let socket = l3::announce(&record);
            // Its close waits for the kernel; the next pod does not.
            std::thread::spawn(move || drop(socket));
        }
        Ok(Outcome::Done)
    }

    async fn ensure_bridge(
        &self,
        socket: &Path,
        bridge: &str,
        datapath: Datapath,
    ) -> Result<Outcome> {
        let ports = Ports::connect(socket).await?;
        ports.ensure_bridge(bridge, datapath).await?;
        Ok(Outcome::Done)
    }

    async fn add_port(&self, record: &mut Attachment) -> Result<()> {
        let ports = ports_of(record).await?;
        let row = ports.add(record).await?;
        let number = row.ofport();
        let Some(port) = record.port.switch_mut() else {
            return Ok(());
        };
        if number.is_some() && port.ofport != number {
            port.ofport = number;
            self.store.write(record)?;
        }
        Ok(())
    }

    async fn move_in(&self, record: &Attachment) -> Result<()> {
        let inside = Inside::open(record)?;
        match record.strategy() {
            Strategy::Rename if rename_kernel::applies(record) => {
                rename_kernel::move_in(self.host, self.store, &inside, record).await
            }
            Strategy::Rename => rename::move_in(self.host, &inside, record).await,
            Strategy::Bond => bond::move_in(self.host, &inside, record).await,
            _ => Err(not_applicable(
                &Action::MoveIn { key: record.key() },
                record,
            )),
        }
    }

    async fn rebuild(&self, record: &Attachment) -> Result<()> {
        let inside = Inside::open(record)?;
        match record.strategy() {
            Strategy::Routed => routed::remake(self.host, &inside, record).await,
            Strategy::Veth => rebuild_veth(self.host, &inside, record).await,
            Strategy::Bond => bond::move_in(self.host, &inside, record).await,
            Strategy::Macvlan => macvlan::remake(self.host, &inside, record).await,
            Strategy::Rename => Err(not_applicable(
                &Action::Rebuild { key: record.key() },
                record,
            )),
        }
    }

    async fn restore_host(&self, record: &Attachment) -> Result<()> {
        match record.strategy() {
            Strategy::Routed => routed::restore_host(self.host, record).await?,
            Strategy::Veth => veth::restore_host(self.host, record).await?,
            Strategy::Macvlan => macvlan::restore_host(self.host, record).await?,
            Strategy::Rename | Strategy::Bond => {}
        }
        gateways(self.host, record).await
    }

    /// Deletes what waits aside. Each pod has its own namespace and so its own deletion,
    /// which is why this is one action, and the last.
    async fn sweep(&self, keys: &[Key]) -> Result<Outcome> {
        let mut outcome = Outcome::Done;
        for key in keys {
            let Some(lock) = self.store.try_lock(key)? else {
                outcome = Outcome::Busy;
                continue;
            };
            let Some(record) = self.store.read(key)? else {
                lock.retire();
                continue;
            };
            let inside = Inside::open(&record)?;
            let aside = names::aside_name(&key.container_id, &key.ifname);
            if let Some(link) = inside.netlink.link_by_name(&aside).await? {
                inside.netlink.delete(link.index).await?;
            }
        }
        Ok(outcome)
    }

    async fn release(&self, key: &Key) -> Result<Outcome> {
        let Some(lock) = self.store.try_lock(key)? else {
            return Ok(Outcome::Busy);
        };
        let Some(record) = self.store.read(key)? else {
            lock.retire();
            return Ok(Outcome::Gone);
        };
        let request = DetachRequest {
            key,
            record: Some(&record),
            netns: None,
            socket: None,
        };
        let done = detach(self.host, self.store, &request).await;
        match done.errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(Outcome::Done),
        }
    }
}

/// A userspace datapath goes on reading from the device that is gone, so its port is
/// taken out and added again; the kernel datapath takes the new device of the old name.
async fn rebuild_veth(host: &Host, inside: &Inside, record: &Attachment) -> Result<()> {
    let userspace = record
        .port
        .switch()
        .is_some_and(|port| port.datapath == Datapath::Userspace);
    if !userspace {
        return veth::remake(host, inside, record).await;
    }
    let ports = ports_of(record).await?;
    ports.remove(&record.key()).await?;
    veth::remake(host, inside, record).await?;
    ports.add(record).await.map(drop)
}

fn not_applicable(action: &Action, record: &Attachment) -> Error {
    Error::NotApplicable {
        action: action.verb(),
        key: record.key(),
    }
}

async fn ports_of(record: &Attachment) -> Result<Ports> {
    let port = record.port.switch().ok_or_else(|| Error::NotApplicable {
        action: "connect to the switch",
        key: record.key(),
    })?;
    Ports::connect(&port.socket).await
}

async fn restore_pod(record: &Attachment) -> Result<()> {
    let inside = Inside::open(record)?;
    let link = crate::device::required(&inside.netlink, &record.ifname, "in the pod").await?;
    l3::ensure(&inside, record, link.index).await
}
