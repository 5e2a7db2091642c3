//! A packet as something that is read and written: a buffer of the kernel, one of a driver, or
//! bytes in a test.

#[cfg(test)]
pub(crate) mod bytes;

/// Where a checksum lies, and what it covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// Offset in the frame.
    pub offset: u32,
    /// Whether zero stands for none, as in UDP over IPv4.
    pub zero_is_none: bool,
}

/// A packet, from its Ethernet header on.
pub trait Frame {
    /// `N` bytes from `offset` on; none beyond the end.
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]>;

    /// Writes bytes; false beyond the end.
    fn store<const N: usize>(&mut self, offset: u32, bytes: &[u8; N]) -> bool;

    /// Corrects the checksum of an IPv4 header at `offset` by a [`crate::checksum::Delta`].
    fn fix_ip(&mut self, offset: u32, delta: u32) -> bool;

    /// Corrects the checksum of a transport's header. `addresses` is what changed in the pseudo
    /// header, `rest` what changed in what it covers itself: a device that is to complete the
    /// checksum has so far only the first in it.
    fn fix_transport(&mut self, checksum: Checksum, addresses: u32, rest: u32) -> bool;
}
