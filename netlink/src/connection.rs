//! One netlink connection: requests, their acknowledgements, and dumps that are right.

use futures_util::StreamExt;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
    NlasIterator,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{AsyncSocket, TokioSocket};
use nix::errno::Errno;

use crate::netns::errno_of;
use crate::{Error, Netns, Result};

/// How often a dump is repeated when the kernel's tables change under it.
const DUMP_ATTEMPTS: u32 = 64;

/// The attribute of an extended acknowledgement that holds the kernel's words.
const NLMSGERR_ATTR_MSG: u16 = 1;

/// Length of the header of the refused request, which precedes the extended acknowledgement's attributes.
const NETLINK_HEADER_LEN: usize = 16;

/// A connection to the kernel inside one namespace. Clones share the socket.
///
/// A future of this type must be driven to its end: a request whose future was dropped may still be executed.
#[derive(Clone, Debug)]
pub struct Netlink {
    handle: rtnetlink::Handle,
}

/// A request for the kernel, and the words for what it does.
pub(crate) struct Request {
    /// The message itself.
    pub message: RouteNetlinkMessage,
    /// Flags besides REQUEST and ACK.
    pub flags: u16,
    /// A verb phrase for errors.
    pub operation: &'static str,
    /// The object for errors.
    pub object: String,
}

/// What the kernel sent before it acknowledged a request.
#[derive(Default)]
struct Answer {
    messages: Vec<RouteNetlinkMessage>,
    interrupted: bool,
}

impl Request {
    fn refused(&self, code: i32, attributes: &[u8]) -> Error {
        Error::Kernel {
            operation: self.operation,
            object: self.object.clone(),
            errno: Errno::from_raw(code.saturating_abs()),
            detail: kernels_words(attributes),
        }
    }

    fn closed(&self) -> Error {
        Error::Closed {
            operation: self.operation,
            object: self.object.clone(),
        }
    }

    /// The error for an answer that lacks something.
    pub(crate) fn malformed(
        operation: &'static str,
        object: impl ToString,
        missing: &'static str,
    ) -> Error {
        Error::Malformed {
            operation,
            object: object.to_string(),
            missing,
        }
    }
}

impl Netlink {
    pub(crate) fn open(netns: &Netns) -> Result<Self> {
        let socket_error = |error: std::io::Error| Error::Socket {
            path: netns.path().to_owned(),
            errno: errno_of(&error),
        };
        let (mut connection, handle, _unsolicited) = netns
            .enter(rtnetlink::new_connection_with_socket::<TokioSocket>)?
            .map_err(socket_error)?;
        let socket = connection.socket_mut().socket_mut();
        // Dumps are then filtered by the kernel and requests it does not understand are refused, not misread.
        socket
            .set_netlink_get_strict_chk(true)
            .map_err(socket_error)?;
        socket.set_ext_ack(true).map_err(socket_error)?;
        socket.set_cap_ack(true).map_err(socket_error)?;
        // With these a stream that ends without an answer can only mean that the connection is closed.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        tokio::spawn(connection);
        Ok(Self { handle })
    }

    /// Makes a change; the kernel acknowledges it or says why not.
    pub(crate) async fn change(&self, request: Request) -> Result<()> {
        self.exchange(&request, NLM_F_ACK).await.map(drop)
    }

    /// Reads one object.
    pub(crate) async fn get(&self, request: Request) -> Result<RouteNetlinkMessage> {
        let mut answer = self.exchange(&request, NLM_F_ACK).await?;
        // An answer that cannot be decoded is dropped by the connection, its acknowledgement is not.
        answer
            .messages
            .pop()
            .ok_or_else(|| Request::malformed(request.operation, &request.object, "the object"))
    }

    /// Reads a table. A dump that a change cut into is repeated, so that what is returned was true at one moment.
    pub(crate) async fn dump(&self, request: Request) -> Result<Vec<RouteNetlinkMessage>> {
        for _ in 0..DUMP_ATTEMPTS {
            match self.exchange(&request, NLM_F_DUMP).await {
                Ok(answer) if !answer.interrupted => return Ok(answer.messages),
                Ok(_) => {}
                Err(error) if error.errno() == Some(Errno::EINTR) => {}
                Err(error) => return Err(error),
            }
            tokio::task::yield_now().await;
        }
        Err(Error::Interrupted {
            operation: request.operation,
            object: request.object,
            attempts: DUMP_ATTEMPTS,
        })
    }

    async fn exchange(&self, request: &Request, kind: u16) -> Result<Answer> {
        let mut message = NetlinkMessage::from(request.message.clone());
        message.header.flags = NLM_F_REQUEST | kind | request.flags;
        let mut replies = self
            .handle
            .clone()
            .request(message)
            .map_err(|_| request.closed())?;
        let mut answer = Answer::default();
        while let Some(reply) = replies.next().await {
            answer.interrupted |= reply.header.flags & NLM_F_DUMP_INTR != 0;
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => answer.messages.push(message),
                NetlinkPayload::Done(done) if done.code < 0 => {
                    return Err(request.refused(done.code, &done.extended_ack));
                }
                NetlinkPayload::Done(_) => return Ok(answer),
                NetlinkPayload::Error(error) => match error.code {
                    None => return Ok(answer),
                    Some(code) => {
                        let attributes = error.header.get(NETLINK_HEADER_LEN..).unwrap_or_default();
                        return Err(request.refused(code.get(), attributes));
                    }
                },
                _ => {}
            }
        }
        Err(request.closed())
    }
}

/// The message of an extended acknowledgement.
fn kernels_words(attributes: &[u8]) -> Option<String> {
    NlasIterator::new(attributes)
        .map_while(std::result::Result::ok)
        .find(|attribute| attribute.kind() == NLMSGERR_ATTR_MSG)
        .map(|attribute| {
            let text = String::from_utf8_lossy(attribute.value());
            text.trim_end_matches('\0').to_owned()
        })
}
