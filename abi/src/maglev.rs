//! Tables of consistent hashing: whichever node a client comes in by, and though it has lost all
//! flows, it finds the same backend.

/// Key of [`crate::names::MAGLEV`]: part of a set's table.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaglevKey {
    /// The set.
    pub set: u32,
    /// Entry number divided by [`MAGLEV_PART`].
    pub part: u32,
}

/// Entries in a part.
pub const MAGLEV_PART: u32 = 256;

/// Value of [`crate::names::MAGLEV`]: slots of the set.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaglevPart {
    /// One for each entry.
    pub slots: [u16; MAGLEV_PART as usize],
}

impl Default for MaglevPart {
    fn default() -> Self {
        Self {
            slots: [0; MAGLEV_PART as usize],
        }
    }
}
