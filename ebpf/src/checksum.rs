//! The internet checksum (RFC 1071), corrected for what has changed (RFC 1624).

use abi::Address;

/// What is to be added to the sum of the words a checksum covers: words in the order in which
/// they lie in memory, with the carries added in.
pub type Delta = u32;

/// The sum of two deltas.
#[inline(always)]
pub fn add(a: Delta, b: Delta) -> Delta {
    let (sum, carry) = a.overflowing_add(b);
    sum.wrapping_add(carry as u32)
}

/// The delta of a word that becomes another.
#[inline(always)]
pub fn word(old: u32, new: u32) -> Delta {
    add(!old, new)
}

/// The delta of half a word, at an even offset, that becomes another.
#[inline(always)]
pub fn half(old: [u8; 2], new: [u8; 2]) -> Delta {
    // The complement of 16 bits: those above are no part of it.
    add(
        u32::from(!u16::from_ne_bytes(old)),
        u32::from(u16::from_ne_bytes(new)),
    )
}

/// The delta of an address that becomes another, both IPv4 or both IPv6.
#[inline(always)]
pub fn address(old: &Address, new: &Address) -> Delta {
    let mut sum = word(old.0[3], new.0[3]);
    sum = add(sum, word(old.0[2], new.0[2]));
    sum = add(sum, word(old.0[1], new.0[1]));
    add(sum, word(old.0[0], new.0[0]))
}

/// A checksum after a change of what it covers.
#[inline(always)]
pub fn corrected(checksum: [u8; 2], delta: Delta) -> [u8; 2] {
    let sum = add(u32::from(!u16::from_ne_bytes(checksum)), delta);
    let sum = (sum >> 16) + (sum & 0xffff);
    let sum = (sum >> 16) + (sum & 0xffff);
    (!(sum as u16)).to_ne_bytes()
}

/// The same for one that is never zero, as zero stands for none.
#[inline(always)]
pub fn corrected_or_none(checksum: [u8; 2], delta: Delta) -> [u8; 2] {
    if checksum == [0, 0] {
        return checksum;
    }
    match corrected(checksum, delta) {
        [0, 0] => [0xff, 0xff],
        other => other,
    }
}

#[cfg(test)]
mod tests;
