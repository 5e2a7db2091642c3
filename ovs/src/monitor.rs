//! Monitor requests and the updates that follow.
