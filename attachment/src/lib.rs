//! What a pod is attached by: the record of each attachment, the port
//! strategies that make one, and the pure plan that repairs it.
#![forbid(unsafe_code)]
