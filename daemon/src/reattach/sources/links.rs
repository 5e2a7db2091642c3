//! Devices of the node's namespace: a port that vswitchd makes anew shows here first.

use std::sync::Arc;

use attachment::names;
use netlink::{LinkEvent, LinkMonitor, Netns};

use super::PAUSE;
use crate::board::Board;
use crate::reattach::mailbox::Mailbox;
use crate::reattach::signal::{Cause, Signal};
use crate::report::{EventKind, PortState};

/// Follows the devices of a namespace. `monitor` is one that was opened before the first look at the devices.
pub async fn follow(netns: Netns, monitor: LinkMonitor, board: Arc<Board>, mailbox: Arc<Mailbox>) {
    let mut monitor = Some(monitor);
    loop {
        if let Some(mut events) = monitor.take() {
            while let Some(event) = events.next().await {
                if let Some(signal) = signal(&event, &board) {
                    mailbox.put(signal);
                }
            }
            tracing::warn!("the watch on devices ended");
            board.facts().counts.error("links");
        }
        tokio::time::sleep(PAUSE).await;
        match netns.monitor_links() {
            Ok(events) => {
                monitor = Some(events);
                mailbox.put(Signal::all(Cause::LinksLost));
            }
            Err(error) => tracing::warn!(%error, "cannot watch devices"),
        }
    }
}

/// The signal in an event, if it is about a device that matters.
fn signal(event: &LinkEvent, board: &Board) -> Option<Signal> {
    let (link, added) = match event {
        LinkEvent::Overrun => return Some(Signal::all(Cause::LinksLost)),
        LinkEvent::Added(link) => (link, true),
        LinkEvent::Changed(link) | LinkEvent::Removed(link) => (link, false),
    };
    let mut facts = board.facts();
    if !names::is_port_name(&link.name) {
        // A bridge's own port carries gateway addresses, which go with it.
        let bridge = Some(link.name.as_str());
        let ours = facts.ports.values().any(|p| p.bridge.as_deref() == bridge);
        return ours.then(|| Signal::all(Cause::Link));
    }
    let port = facts.ports.values().find(|p| p.port == link.name)?;
    if matches!(port.state, PortState::Adding | PortState::Deleting) {
        return None;
    }
    if added {
        let detail = format!(
            "device {} appeared in the node's namespace, index {}",
            link.name, link.index
        );
        facts.event(EventKind::LinkSeen, link.name.clone(), detail, None);
    }
    Some(Signal::ports(Cause::Link, vec![link.name.clone()]))
}
