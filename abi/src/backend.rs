//! Who answers: sets of backends.
//!
//! A set is written once and never changed: a change of endpoints makes a new set, then
//! turns the frontends to it, then removes the old one, so that no frontend ever points at
//! a backend that is not there.

use crate::Address;

/// Key of [`crate::names::SLOTS`]: one backend of a set.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey {
    /// The set.
    pub set: u32,
    /// 0 to the set's size less one.
    pub slot: u32,
}

/// Value of [`crate::names::SLOTS`]: where a backend listens.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Backend {
    /// Its address.
    pub address: Address,
    /// Its port.
    pub port_be: u16,
    /// Zero.
    pub pad: u16,
}

/// Key of [`crate::names::MEMBERS`]: that a set has a backend, for sets with affinity.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// The set.
    pub set: u32,
    /// The backend.
    pub backend: Backend,
}
