//! Commands that measure, never tests.
