//! Events of the devices of a namespace.

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{AsyncSocket, TokioSocket};
use nix::sys::socket::{setsockopt, sockopt::RcvBufForce};
use rtnetlink::MulticastGroup;
use tokio::task::AbortHandle;

use crate::netns::errno_of;
use crate::{Error, Link, Netns, Result};

/// Room for the events of about a thousand devices, so that an overrun stays the exception.
const RECEIVE_BUFFER: usize = 4 << 20;

/// What happened to a device of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It was created here or came from another namespace.
    Added(Link),
    /// Something about it changed, perhaps its name or nothing that [`Link`] shows. The kernel tells of some changes,
    /// such as that of the alias, only while the device is up.
    Changed(Link),
    /// It was deleted or left for another namespace; its last state.
    Removed(Link),
    /// Events were lost: look at everything.
    Overrun,
}

/// The events of a namespace, from the moment of [`Netns::monitor_links`] on.
pub struct LinkMonitor {
    messages: BoxStream<'static, NetlinkMessage<RouteNetlinkMessage>>,
    connection: AbortHandle,
}

impl Netns {
    /// Listens to the devices of this namespace. No event after the return of this call is missed, so what is listed
    /// after it is never older than what the events tell.
    ///
    /// # Errors
    /// [`Error::Enter`] or [`Error::Socket`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn monitor_links(&self) -> Result<LinkMonitor> {
        self.monitor_links_buffered(RECEIVE_BUFFER)
    }

    /// The same with room for `bytes` of events that wait to be read.
    ///
    /// # Errors
    /// [`Error::Enter`] or [`Error::Socket`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn monitor_links_buffered(&self, bytes: usize) -> Result<LinkMonitor> {
        let socket_error = |errno| Error::Socket {
            path: self.path().to_owned(),
            errno,
        };
        let (mut connection, handle, messages) = self
            .enter(|| {
                rtnetlink::new_multicast_connection_with_socket::<TokioSocket>(&[
                    MulticastGroup::Link,
                ])
            })?
            .map_err(|error| socket_error(errno_of(&error)))?;
        setsockopt(connection.socket_mut().socket_mut(), RcvBufForce, &bytes)
            .map_err(socket_error)?;
        let connection = tokio::spawn(async move {
            // The connection ends with its last handle.
            let _handle = handle;
            connection.await;
        });
        Ok(LinkMonitor {
            messages: messages.map(|(message, _)| message).boxed(),
            connection: connection.abort_handle(),
        })
    }
}

impl LinkMonitor {
    /// The next event; none when the connection has failed. Can be dropped while it waits without losing an event.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            let message = self.messages.next().await?;
            if let Some(event) = event_of(message.payload) {
                return Some(event);
            }
        }
    }
}

impl Drop for LinkMonitor {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

fn event_of(payload: NetlinkPayload<RouteNetlinkMessage>) -> Option<LinkEvent> {
    match payload {
        NetlinkPayload::Overrun(_) => Some(LinkEvent::Overrun),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message))
            if of_a_device(&message) =>
        {
            // The kernel marks a device's first message in a namespace by "everything changed".
            let first = message.header.change_mask.bits() == u32::MAX;
            let link = Link::from_message(message);
            Some(if first {
                LinkEvent::Added(link)
            } else {
                LinkEvent::Changed(link)
            })
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(message))
            if of_a_device(&message) =>
        {
            Some(LinkEvent::Removed(Link::from_message(message)))
        }
        _ => None,
    }
}

/// Bridges speak in the same group of their ports: a port that left its bridge is not a device that is gone.
fn of_a_device(message: &LinkMessage) -> bool {
    message.header.interface_family == AddressFamily::Unspec
}
