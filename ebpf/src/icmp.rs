//! ICMP errors about packets of a flow: they carry the head of the packet they are about, which
//! is translated back for whoever had sent it, or path MTU discovery would fail.

use abi::{Flow, FlowKey};

use crate::checksum;
use crate::frame::{Checksum, Frame};
use crate::headers::{self, Fragment, Headers, TCP, UDP};
use crate::rewrite::{self, Fault};

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The packet within.
    pub inner: Headers,
    /// Its ports.
    pub ports: (u16, u16),
}

impl About {
    /// What is said of an ICMP packet: none if it is no error, or about nothing that has ports.
    #[inline(always)]
    pub fn of<F: Frame>(frame: &F, outer: &Headers) -> Option<Self> {
        if !matches!(outer.fragment, Fragment::Whole) {
            return None;
        }
        let [kind] = frame.load(outer.l4)?;
        let inner = if outer.v4 {
            // Unreachable, source quench, time exceeded, parameter problem.
            if !matches!(kind, 3 | 4 | 11 | 12) {
                return None;
            }
            headers::ip4(frame, outer.l4 + 8)?
        } else {
            // Unreachable, too big, time exceeded, parameter problem.
            if !matches!(kind, 1..=4) {
                return None;
            }
            headers::ip6(frame, outer.l4 + 8)?
        };
        if !inner.has_ports() || matches!(inner.fragment, Fragment::Later(_)) {
            return None;
        }
        let ports = inner.ports(frame)?;
        Some(Self { inner, ports })
    }

    /// The key of the flow in the direction in which the error goes: against the packet's.
    #[inline(always)]
    pub fn key(&self) -> FlowKey {
        self.inner.key(self.ports).reversed()
    }

    /// Gives an error the addresses that a packet of `flow` gets, inside and out. A router on
    /// the way keeps its own address as the sender.
    ///
    /// # Errors
    /// When the packet is too short; it is not to be sent then.
    #[inline(always)]
    pub fn translate<F: Frame>(
        &self,
        frame: &mut F,
        outer: &Headers,
        flow: &Flow,
    ) -> Result<(), Fault> {
        let from_peer = outer.source == self.inner.destination;
        let around = Flow {
            source: if from_peer { flow.source } else { outer.source },
            destination: flow.destination,
            ..*flow
        };
        // The packet within goes the other way.
        let within = Flow {
            source: flow.destination,
            destination: flow.source,
            source_port_be: flow.destination_port_be,
            destination_port_be: flow.source_port_be,
            ..*flow
        };
        let delta = self.translate_within(frame, &within)?;
        let outside = rewrite::addresses(frame, outer, &around)?;
        let checksum = Checksum {
            offset: outer.l4 + 2,
            zero_is_none: false,
        };
        // Only ICMP of IPv6 covers the addresses around it.
        let outside = if outer.v4 { 0 } else { outside };
        if frame.fix_transport(checksum, outside, delta) {
            Ok(())
        } else {
            Err(Fault::Short)
        }
    }

    /// What the change of the packet within adds to the sum over the error.
    #[inline(always)]
    fn translate_within<F: Frame>(
        &self,
        frame: &mut F,
        within: &Flow,
    ) -> Result<checksum::Delta, Fault> {
        let inner = &self.inner;
        let addresses = rewrite::addresses(frame, inner, within)?;
        // The IPv4 header's own checksum has changed by as much the other way.
        let mut total = if inner.v4 { 0 } else { addresses };
        let old = rewrite::word(self.ports);
        let new = rewrite::word((within.source_port_be, within.destination_port_be));
        if !frame.store(inner.l4, &new.to_ne_bytes()) {
            return Err(Fault::Short);
        }
        let ports = checksum::word(old, new);
        total = checksum::add(total, ports);
        // Eight bytes of the transport are sure to be there: UDP's checksum is, TCP's may be.
        let at = match inner.protocol {
            TCP => inner.l4 + 16,
            UDP => inner.l4 + 6,
            _ => return Ok(total),
        };
        let Some(had) = frame.load::<2>(at) else {
            return Ok(total);
        };
        let delta = checksum::add(addresses, ports);
        let has = if inner.protocol == UDP {
            checksum::corrected_or_none(had, delta)
        } else {
            checksum::corrected(had, delta)
        };
        if !frame.store(at, &has) {
            return Err(Fault::Short);
        }
        Ok(checksum::add(total, checksum::half(had, has)))
    }
}

#[cfg(test)]
mod tests;
