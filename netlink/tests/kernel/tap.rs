//! Taps without a holder.

use std::fs::File;
use std::os::fd::AsRawFd;

use anyhow::Result;
use nix::libc;

use crate::node::{Node, bare};

nix::ioctl_readwrite_bad!(
    set_interface,
    nix::request_code_write!(b'T', 202, size_of::<libc::c_int>()),
    libc::ifreq
);

/// Opens a tap as vswitchd does.
fn hold(name: &str) -> Result<File> {
    let file = File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")?;
    let mut request = libc::ifreq {
        ifr_name: [0; libc::IFNAMSIZ],
        ifr_ifru: libc::__c_anonymous_ifr_ifru {
            ifru_flags: (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short,
        },
    };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    // SAFETY: TUNSETIFF reads and writes an ifreq, and `request` is one, alive and exclusive for the call.
    unsafe { set_interface(file.as_raw_fd(), &raw mut request) }?;
    Ok(file)
}

#[tokio::test]
async fn a_tap_waits_without_carrier_for_the_process_that_opens_it() -> Result<()> {
    let node = Node::new("tap")?;
    assert!(node.netns.create_tap("in1")?);
    let seen = node.ip("link show dev in1")?;
    assert_eq!(seen["linkinfo"]["info_kind"], "tun");
    let data = &seen["linkinfo"]["info_data"];
    assert_eq!(
        (data["type"].as_str(), data["persist"].as_bool()),
        (Some("tap"), Some(true))
    );
    let tap = node.link("in1").await?;
    assert!(!tap.up && !tap.running);
    node.netlink.set_up(tap.index).await?;
    assert!(!node.link("in1").await?.running, "nobody holds it");

    let holder = node.netns.enter(|| hold("in1"))??;
    let held = node.link("in1").await?;
    assert_eq!((held.index, held.running), (tap.index, true));
    assert!(
        !node.netns.create_tap("in1")?,
        "it is left alone while it is held"
    );
    assert_eq!(node.link("in1").await?, held);
    drop(holder);
    assert!(!node.link("in1").await?.running);
    assert!(node.netns.create_tap("in1")?);
    Ok(())
}

#[tokio::test]
async fn a_device_of_another_kind_in_its_place_is_an_error() -> Result<()> {
    let node = Node::new("taken")?;
    node.netlink
        .create_veth(&bare("in1", &node.netns, "x"))
        .await?;
    let before = node.link("in1").await?;
    let error = node.netns.create_tap("in1").expect_err("a veth");
    assert!(
        error
            .to_string()
            .starts_with("cannot create tap in1: EINVAL"),
        "{error}"
    );
    assert_eq!(node.link("in1").await?, before);
    Ok(())
}
