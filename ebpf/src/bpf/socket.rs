//! The socket load balancer: a client's socket is given a backend when it connects or
//! sends, so that no packet of it is ever translated.

use abi::{Address, AffinityKey, Backend, Frontend, Service, SocketKey, SocketOrigin, Verdict};
use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::helpers::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_set_retval};
use aya_ebpf::macros::cgroup_sock_addr;
use aya_ebpf::programs::SockAddrContext;
use ebpf::choice::{Choice, Side, choice};

use super::count::count;
use super::maps::{SERVICES, SOCKETS};
use super::select;

/// What a hook answers to let the call go on.
const PROCEED: i32 = 1;
/// What it answers to end it.
const DENY: i32 = 0;
/// `-ECONNREFUSED`.
const REFUSED: i32 = -111;

#[derive(Clone, Copy)]
enum Family {
    V4,
    V6,
}

/// The call a hook is in.
#[derive(Clone, Copy)]
enum Call {
    Connect,
    Send,
}

impl Call {
    #[inline(always)]
    fn other(self) -> Verdict {
        match self {
            Call::Connect => Verdict::ConnectOther,
            Call::Send => Verdict::SendOther,
        }
    }

    #[inline(always)]
    fn backend(self) -> Verdict {
        match self {
            Call::Connect => Verdict::ConnectBackend,
            Call::Send => Verdict::SendBackend,
        }
    }

    #[inline(always)]
    fn rejected(self) -> Verdict {
        match self {
            Call::Connect => Verdict::ConnectRejected,
            Call::Send => Verdict::SendRejected,
        }
    }

    #[inline(always)]
    fn dropped(self) -> Verdict {
        match self {
            Call::Connect => Verdict::ConnectDropped,
            Call::Send => Verdict::SendDropped,
        }
    }
}

#[cgroup_sock_addr(connect4)]
pub fn connect4(ctx: SockAddrContext) -> i32 {
    forward(&ctx, Family::V4, Call::Connect)
}

#[cgroup_sock_addr(connect6)]
pub fn connect6(ctx: SockAddrContext) -> i32 {
    forward(&ctx, Family::V6, Call::Connect)
}

#[cgroup_sock_addr(sendmsg4)]
pub fn sendmsg4(ctx: SockAddrContext) -> i32 {
    forward(&ctx, Family::V4, Call::Send)
}

#[cgroup_sock_addr(sendmsg6)]
pub fn sendmsg6(ctx: SockAddrContext) -> i32 {
    forward(&ctx, Family::V6, Call::Send)
}

#[cgroup_sock_addr(recvmsg4)]
pub fn recvmsg4(ctx: SockAddrContext) -> i32 {
    reverse(
        &ctx,
        Family::V4,
        Verdict::ReceiveService,
        Verdict::ReceiveOther,
    )
}

#[cgroup_sock_addr(recvmsg6)]
pub fn recvmsg6(ctx: SockAddrContext) -> i32 {
    reverse(
        &ctx,
        Family::V6,
        Verdict::ReceiveService,
        Verdict::ReceiveOther,
    )
}

#[cgroup_sock_addr(getpeername4)]
pub fn getpeername4(ctx: SockAddrContext) -> i32 {
    reverse(&ctx, Family::V4, Verdict::PeerService, Verdict::PeerOther)
}

#[cgroup_sock_addr(getpeername6)]
pub fn getpeername6(ctx: SockAddrContext) -> i32 {
    reverse(&ctx, Family::V6, Verdict::PeerService, Verdict::PeerOther)
}

/// What a call to an address comes to.
enum Answer {
    /// This backend, of the Service port with that id.
    Backend(Backend, u32),
    /// The Service refuses.
    Reject,
    /// The Service does not answer.
    Drop,
    /// It is no Service's.
    Other,
    /// The Service names a backend that is not there.
    Missing,
}

/// connect and sendmsg: the destination becomes a backend.
#[inline(always)]
fn forward(ctx: &SockAddrContext, family: Family, call: Call) -> i32 {
    let (address, port_be) = peer(ctx, family);
    let protocol = protocol(ctx);
    let mut answer = ask(ctx, address, port_be, protocol);
    if matches!(answer, Answer::Missing) {
        // Its set was replaced between the two look-ups: the Service knows the new one.
        answer = ask(ctx, address, port_be, protocol);
    }
    let (backend, port_id) = match answer {
        Answer::Backend(backend, port_id) => (backend, port_id),
        Answer::Reject => {
            count(call.rejected());
            // SAFETY: sets what the call returns, nothing else.
            unsafe { bpf_set_retval(REFUSED) };
            return DENY;
        }
        Answer::Drop => {
            count(call.dropped());
            return PROCEED;
        }
        Answer::Other => {
            count(call.other());
            return PROCEED;
        }
        Answer::Missing => {
            count(Verdict::BackendMissing);
            return PROCEED;
        }
    };
    let key = SocketKey {
        // SAFETY: the context is the hook's own.
        cookie: unsafe { bpf_get_socket_cookie(ctx.sock_addr.cast()) },
        address: backend.address,
        port_be: backend.port_be,
        protocol,
        pad: [0; 5],
    };
    let origin = SocketOrigin {
        address,
        port_id,
        port_be,
        pad: 0,
    };
    // A full table forgets the socket that was used longest ago.
    let _ = SOCKETS.insert(key, origin, 0);
    set_peer(ctx, family, backend.address, backend.port_be);
    count(call.backend());
    PROCEED
}

/// Asks the tables once. A frontend's set has backends of its own family alone.
#[inline(always)]
fn ask(ctx: &SockAddrContext, address: Address, port_be: u16, protocol: u8) -> Answer {
    let Some(service) = service(address, port_be, protocol) else {
        return Answer::Other;
    };
    if service.flags & Service::CHECK_SOURCE != 0 {
        // The address it sends from is not known yet: the packet path decides.
        return Answer::Other;
    }
    let (set, size) = match choice(&service, Side::Inside) {
        Choice::Of { set, count } => (set, count),
        Choice::Reject => return Answer::Reject,
        Choice::Drop => return Answer::Drop,
        Choice::Pass => return Answer::Other,
    };
    // SAFETY: the context is the hook's own.
    let namespace = unsafe { bpf_get_netns_cookie(ctx.sock_addr.cast()) };
    let client = AffinityKey::of_namespace(namespace, service.port_id);
    match select::backend(&service, set, size, &client) {
        Some(backend) => Answer::Backend(backend, service.port_id),
        None => Answer::Missing,
    }
}

/// recvmsg and getpeername: a backend is shown as what the socket asked for.
#[inline(always)]
fn reverse(ctx: &SockAddrContext, family: Family, service: Verdict, other: Verdict) -> i32 {
    let (address, port_be) = peer(ctx, family);
    let key = SocketKey {
        // SAFETY: the context is the hook's own.
        cookie: unsafe { bpf_get_socket_cookie(ctx.sock_addr.cast()) },
        address,
        port_be,
        protocol: protocol(ctx),
        pad: [0; 5],
    };
    // SAFETY: a copy; an entry that is replaced meanwhile was somebody else's.
    match unsafe { SOCKETS.get(key) }.copied() {
        Some(origin) => {
            set_peer(ctx, family, origin.address, origin.port_be);
            count(service);
        }
        None => count(other),
    }
    PROCEED
}

/// The Service of a destination; that of all ports where the port has none.
#[inline(always)]
fn service(address: Address, port_be: u16, protocol: u8) -> Option<Service> {
    let mut key = Frontend {
        address,
        port_be,
        protocol,
        pad: 0,
    };
    // SAFETY: a copy; userspace replaces values as a whole.
    if let Some(service) = unsafe { SERVICES.get(key) } {
        return Some(*service);
    }
    key.port_be = 0;
    key.protocol = 0;
    // SAFETY: as above.
    unsafe { SERVICES.get(key) }.copied()
}

#[inline(always)]
fn protocol(ctx: &SockAddrContext) -> u8 {
    // SAFETY: the context is the hook's own, and may be read in words.
    unsafe { (&raw const (*ctx.sock_addr).protocol).read_volatile() as u8 }
}

/// The address and port the call names.
#[inline(always)]
fn peer(ctx: &SockAddrContext, family: Family) -> (Address, u16) {
    let it: *const bpf_sock_addr = ctx.sock_addr;
    // SAFETY: the context is the hook's own, and may be read in words.
    unsafe {
        let port_be = (&raw const (*it).user_port).read_volatile() as u16;
        let address = match family {
            Family::V4 => Address::from_v4_be((&raw const (*it).user_ip4).read_volatile()),
            Family::V6 => Address::from_v6_be([
                (&raw const (*it).user_ip6[0]).read_volatile(),
                (&raw const (*it).user_ip6[1]).read_volatile(),
                (&raw const (*it).user_ip6[2]).read_volatile(),
                (&raw const (*it).user_ip6[3]).read_volatile(),
            ]),
        };
        (address, port_be)
    }
}

#[inline(always)]
fn set_peer(ctx: &SockAddrContext, family: Family, address: Address, port_be: u16) {
    let it: *mut bpf_sock_addr = ctx.sock_addr;
    // SAFETY: the context is the hook's own, and may be written in words.
    unsafe {
        match family {
            Family::V4 => (&raw mut (*it).user_ip4).write_volatile(address.0[3]),
            Family::V6 => {
                (&raw mut (*it).user_ip6[0]).write_volatile(address.0[0]);
                (&raw mut (*it).user_ip6[1]).write_volatile(address.0[1]);
                (&raw mut (*it).user_ip6[2]).write_volatile(address.0[2]);
                (&raw mut (*it).user_ip6[3]).write_volatile(address.0[3]);
            }
        }
        (&raw mut (*it).user_port).write_volatile(u32::from(port_be));
    }
}
