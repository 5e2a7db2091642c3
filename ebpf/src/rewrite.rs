//! Giving a packet other addresses and ports.

use abi::Flow;

use crate::checksum::{self, Delta};
use crate::frame::{Checksum, Frame};
use crate::headers::{Fragment, Headers, SCTP, TCP, UDP};

/// Why a packet could not be translated: it ends before its headers do, or its protocol's
/// checksum covers ports in a way that cannot be corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends too early.
    Short,
    /// Its ports cannot be others.
    FixedPorts,
}

#[inline(always)]
fn done(ok: bool) -> Result<(), Fault> {
    if ok { Ok(()) } else { Err(Fault::Short) }
}

/// Gives a packet the addresses and ports of `flow`; `ports` are those it has.
///
/// # Errors
/// When it is too short, or its protocol's ports cannot be others; it is not to be sent then.
#[inline(always)]
pub fn packet<F: Frame>(
    frame: &mut F,
    headers: &Headers,
    ports: (u16, u16),
    flow: &Flow,
) -> Result<(), Fault> {
    let new = (flow.source_port_be, flow.destination_port_be);
    // The checksum of SCTP is a CRC over the whole packet, but not over its addresses.
    if headers.protocol == SCTP && ports != new {
        return Err(Fault::FixedPorts);
    }
    let delta = addresses(frame, headers, flow)?;
    if matches!(headers.fragment, Fragment::Later(_)) {
        return Ok(());
    }
    let (old_word, new_word) = (word(ports), word(new));
    if old_word != new_word {
        done(frame.store(headers.l4, &new_word.to_ne_bytes()))?;
    }
    let rest = checksum::word(old_word, new_word);
    match headers.protocol {
        TCP => done(frame.fix_transport(at(headers.l4 + 16, false), delta, rest)),
        UDP => done(frame.fix_transport(at(headers.l4 + 6, true), delta, rest)),
        _ => Ok(()),
    }
}

#[inline(always)]
fn at(offset: u32, zero_is_none: bool) -> Checksum {
    Checksum {
        offset,
        zero_is_none,
    }
}

/// Two ports as they lie in a packet.
#[inline(always)]
pub fn word((source_be, destination_be): (u16, u16)) -> u32 {
    let (a, b) = (source_be.to_ne_bytes(), destination_be.to_ne_bytes());
    u32::from_ne_bytes([a[0], a[1], b[0], b[1]])
}

/// Writes the addresses of `flow` into the IP header; what that changes for the transport.
#[inline(always)]
pub fn addresses<F: Frame>(frame: &mut F, headers: &Headers, flow: &Flow) -> Result<Delta, Fault> {
    if headers.v4 {
        let mut delta = 0;
        if headers.source.0[3] != flow.source.0[3] {
            done(frame.store(headers.l3 + 12, &flow.source.0[3].to_ne_bytes()))?;
            delta = checksum::word(headers.source.0[3], flow.source.0[3]);
        }
        if headers.destination.0[3] != flow.destination.0[3] {
            done(frame.store(headers.l3 + 16, &flow.destination.0[3].to_ne_bytes()))?;
            let more = checksum::word(headers.destination.0[3], flow.destination.0[3]);
            delta = checksum::add(delta, more);
        }
        done(frame.fix_ip(headers.l3 + 10, delta))?;
        return Ok(delta);
    }
    let mut delta = 0;
    if headers.source != flow.source {
        done(frame.store(headers.l3 + 8, &bytes(&flow.source)))?;
        delta = checksum::address(&headers.source, &flow.source);
    }
    if headers.destination != flow.destination {
        done(frame.store(headers.l3 + 24, &bytes(&flow.destination)))?;
        let more = checksum::address(&headers.destination, &flow.destination);
        delta = checksum::add(delta, more);
    }
    Ok(delta)
}

/// An IPv6 address as it lies in a packet.
#[inline(always)]
pub fn bytes(address: &abi::Address) -> [u8; 16] {
    let [a, b, c, d] = address.0;
    let (a, b, c, d) = (
        a.to_ne_bytes(),
        b.to_ne_bytes(),
        c.to_ne_bytes(),
        d.to_ne_bytes(),
    );
    [
        a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2],
        d[3],
    ]
}

/// Takes one from the TTL, which must not be 0.
///
/// # Errors
/// When the packet is too short.
#[inline(always)]
pub fn hop<F: Frame>(frame: &mut F, headers: &Headers) -> Result<(), Fault> {
    if !headers.v4 {
        return done(frame.store(headers.l3 + 7, &[headers.ttl - 1]));
    }
    let old = [headers.ttl, headers.protocol];
    let new = [headers.ttl - 1, headers.protocol];
    done(frame.store(headers.l3 + 8, &[headers.ttl - 1]))?;
    done(frame.fix_ip(headers.l3 + 10, checksum::half(old, new)))
}

#[cfg(test)]
mod tests;
