//! The path of a packet that the node itself sends.

use abi::{Flow, Verdict};
use ebpf::headers::{Parsed, TcpFlags, parse};
use ebpf::icmp::About;
use ebpf::rewrite;

use super::medium::Medium;
use super::path::{Action, Ended, MALFORMED, OTHER, flow, known, ports};
use super::scratch::{forget_how, scratch};

/// A packet that the node itself sends: of a backend that is the node.
#[inline(always)]
pub fn leave<M: Medium>(medium: &mut M) -> Ended {
    let Some(it) = scratch() else { return OTHER };
    match parse(medium) {
        Parsed::Ip(headers) => forget_how(&mut it.headers, headers),
        _ => return OTHER,
    }
    if it.headers.is_icmp() {
        let Some(about) = About::of(medium, &it.headers) else {
            return OTHER;
        };
        forget_how(&mut it.about, about);
        it.key = it.about.key();
        // What is not for the packet's own destination would have to go elsewhere.
        if !flow(it) || it.flow.destination != it.headers.destination {
            return OTHER;
        }
        return match it.about.translate(medium, &it.headers, &it.flow) {
            Ok(()) => (Verdict::PacketError, Action::Pass),
            Err(_) => MALFORMED,
        };
    }
    if !it.headers.has_ports() || ports(medium, it).is_err() {
        return OTHER;
    }
    let flags = TcpFlags::of(medium, &it.headers);
    let is_reply = known(it, flags)
        && it.flow.flags & Flow::FORWARD == 0
        && it.flow.destination == it.headers.destination;
    if !is_reply {
        return OTHER;
    }
    let ports = (it.key.source_port_be, it.key.destination_port_be);
    match rewrite::packet(medium, &it.headers, ports, &it.flow) {
        Ok(()) => (Verdict::PacketReply, Action::Pass),
        Err(_) => MALFORMED,
    }
}
