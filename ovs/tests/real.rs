//! The crate against a real ovsdb-server and ovs-vswitchd, private to each test, on the userspace datapath.
#[path = "real/rig.rs"]
mod rig;

#[path = "real/add_port.rs"]
mod add_port;
#[path = "real/client.rs"]
mod client;
#[path = "real/del_port.rs"]
mod del_port;
#[path = "real/openflow.rs"]
mod openflow;
#[path = "real/process.rs"]
mod process;
#[path = "real/repair.rs"]
mod repair;
#[path = "real/session.rs"]
mod session;
#[path = "real/switch.rs"]
mod switch;
