//! A hash of a client and what it asks for: the same on every node, so it depends on the bytes
//! alone and not on the machine.

use abi::FlowKey;

/// The hash.
#[inline(always)]
pub fn flow(key: &FlowKey) -> u32 {
    let mut hash = 0x9e37_79b9;
    hash = mix(hash, key.source.0[0]);
    hash = mix(hash, key.source.0[1]);
    hash = mix(hash, key.source.0[2]);
    hash = mix(hash, key.source.0[3]);
    hash = mix(hash, key.destination.0[0]);
    hash = mix(hash, key.destination.0[1]);
    hash = mix(hash, key.destination.0[2]);
    hash = mix(hash, key.destination.0[3]);
    let ports = u32::from(u16::from_be(key.source_port_be)) << 16
        | u32::from(u16::from_be(key.destination_port_be));
    hash = mix(hash, ports.to_be());
    finish(mix(hash, u32::from(key.protocol).to_be()))
}

/// One step of MurmurHash3 (x86, 32 bits) with a word in network byte order.
#[inline(always)]
pub const fn mix(hash: u32, word_be: u32) -> u32 {
    let word = u32::from_be(word_be)
        .wrapping_mul(0xcc9e_2d51)
        .rotate_left(15)
        .wrapping_mul(0x1b87_3593);
    (hash ^ word)
        .rotate_left(13)
        .wrapping_mul(5)
        .wrapping_add(0xe654_6b64)
}

/// MurmurHash3's last step: every bit of the input changes every bit with even odds.
#[inline(always)]
pub const fn finish(hash: u32) -> u32 {
    let hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[cfg(test)]
mod tests;
