//! What ADD has made so far, to be unmade in reverse when a later step fails.
//!
//! Steps are plain data, pushed *before* the change they undo: a step for something
//! that was never made is a no-op, a made thing without its step is a leak.

use crate::error::{Error, Result};
use crate::host::{Host, Inside};
use crate::ports::Ports;
use crate::record::Key;
use crate::strategy::rename_kernel;

/// One thing to unmake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// The port's row on the switch.
    Port,
    /// A device in the root namespace.
    HostLink(String),
    /// A device in the pod.
    PodLink(String),
    /// The name of a port of the kernel datapath that was renamed in the pod.
    PodName,
}

/// The stack of steps.
#[derive(Debug)]
pub(crate) struct Undo {
    key: Key,
    steps: Vec<Step>,
}

impl Undo {
    pub fn new(key: Key) -> Self {
        Self {
            key,
            steps: Vec::new(),
        }
    }

    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// Unmakes everything, going on after errors; the first error is the one returned.
    pub async fn unwind(
        mut self,
        host: &Host,
        inside: &Inside,
        ports: Option<&Ports>,
    ) -> Result<()> {
        let mut outcome = Ok(());
        while let Some(step) = self.steps.pop() {
            let done = match &step {
                Step::Port => match ports {
                    Some(ports) => ports.remove(&self.key).await.map(drop),
                    None => Ok(()),
                },
                Step::HostLink(name) => remove(&host.netlink, name).await,
                Step::PodLink(name) => remove(&inside.netlink, name).await,
                Step::PodName => rename_kernel::name_back(inside, &self.key).await,
            };
            if let Err(error) = done {
                tracing::warn!(key = %self.key, ?step, %error, "could not be undone");
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }
}

async fn remove(netlink: &netlink::Netlink, name: &str) -> Result<()> {
    if let Some(link) = netlink.link_by_name(name).await? {
        match netlink.delete(link.index).await {
            // vswitchd deletes internal ports of the kernel datapath itself, and rtnetlink may not.
            Err(error) if error.is_not_supported() => {}
            outcome => outcome.map(drop).map_err(Error::from)?,
        }
    }
    Ok(())
}
