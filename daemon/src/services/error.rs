//! What is wrong with an object.

/// An object, or a part of it, that cannot be used: the field by its path, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct Invalid {
    /// Path of the field, as in `spec.ports[0].port`.
    pub field: String,
    /// The value and what is wrong with it.
    pub reason: String,
}

impl Invalid {
    /// An error about a field.
    pub fn new(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            reason: reason.into(),
        }
    }
}
