//! A frame of a test's own: bytes, with checksums corrected as XDP does it.

use std::vec::Vec;

use super::{Checksum, Frame};
use crate::checksum;

/// Bytes; reads and writes beyond them are told, and do nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes(pub Vec<u8>);

impl Frame for Bytes {
    fn load<const N: usize>(&self, offset: u32) -> Option<[u8; N]> {
        let from = offset as usize;
        self.0.get(from..from + N)?.try_into().ok()
    }

    fn store<const N: usize>(&mut self, offset: u32, bytes: &[u8; N]) -> bool {
        let from = offset as usize;
        let Some(place) = self.0.get_mut(from..from + N) else {
            return false;
        };
        place.copy_from_slice(bytes);
        true
    }

    fn fix_ip(&mut self, offset: u32, delta: u32) -> bool {
        let Some(old) = self.load::<2>(offset) else {
            return false;
        };
        self.store(offset, &checksum::corrected(old, delta))
    }

    fn fix_transport(&mut self, it: Checksum, addresses: u32, rest: u32) -> bool {
        let Some(old) = self.load::<2>(it.offset) else {
            return false;
        };
        let delta = checksum::add(addresses, rest);
        let new = if it.zero_is_none {
            checksum::corrected_or_none(old, delta)
        } else {
            checksum::corrected(old, delta)
        };
        self.store(it.offset, &new)
    }
}
