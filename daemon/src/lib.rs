//! The node daemon and its operator tool.
