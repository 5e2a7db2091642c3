//! Refusals keep operation, object and errno.

use anyhow::Result;
use netlink::Error;
use nix::errno::Errno;

use crate::node::{Node, bare, mac};

#[tokio::test]
async fn changes_to_a_device_that_is_not_there_say_which() -> Result<()> {
    let node = Node::new("nothing")?;
    let pod = Node::new("pod")?;
    let outcomes = [
        ("set up", node.netlink.set_up(4242).await),
        ("set down", node.netlink.set_down(4242).await),
        ("rename", node.netlink.rename(4242, "eth0").await),
        (
            "set the MAC address of",
            node.netlink.set_mac(4242, mac(1)).await,
        ),
        ("set the MTU of", node.netlink.set_mtu(4242, 1400).await),
        ("set the alias of", node.netlink.set_alias(4242, "x").await),
        (
            "set the master of",
            node.netlink.set_master(4242, Some(1)).await,
        ),
        ("move", node.netlink.move_to(4242, &pod.netns, None).await),
    ];
    for (operation, outcome) in outcomes {
        let error = outcome.expect_err(operation);
        assert!(
            error.is_no_device() && error.is_not_found() && !error.is_exists(),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot {operation} device 4242: ENODEV")),
            "{error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_taken_name_and_bad_values_are_refused() -> Result<()> {
    let node = Node::new("values")?;
    let index = node
        .netlink
        .create_veth(&bare("a", &node.netns, "b"))
        .await?
        .link
        .index;
    let error = node.netlink.rename(index, "b").await.expect_err("taken");
    assert!(error.is_exists(), "{error}");
    let error = node.netlink.set_mtu(index, 1).await.expect_err("too small");
    assert_eq!(error.errno(), Some(Errno::EINVAL));
    assert!(
        error.to_string().contains("(mtu less than device minimum)"),
        "{error}"
    );
    let group_address = netlink::MacAddr([1, 0, 0x5e, 0, 0, 1]);
    let error = node
        .netlink
        .set_mac(index, group_address)
        .await
        .expect_err("a group address");
    assert_eq!(error.errno(), Some(Errno::EADDRNOTAVAIL));
    Ok(())
}

#[tokio::test]
async fn impossible_names_never_reach_the_kernel() -> Result<()> {
    let node = Node::new("names")?;
    let long = "a-name-of-16-byt";
    let invalid = |error: Error, name: &str| {
        assert!(
            matches!(&error, Error::Invalid { value, .. } if value == name),
            "{error}"
        );
    };
    invalid(node.netlink.link_by_name(long).await.expect_err(long), long);
    invalid(
        node.netlink
            .rename(1, "eth%d")
            .await
            .expect_err("a pattern"),
        "eth%d",
    );
    let outcome = node
        .netlink
        .create_veth(&bare("ok", &node.netns, long))
        .await;
    invalid(outcome.expect_err(long), long);
    let outcome = node
        .netlink
        .create_veth(&bare("..", &node.netns, "ok"))
        .await;
    invalid(outcome.expect_err(".."), "..");
    assert_eq!(node.netlink.links().await?.len(), 1);
    Ok(())
}
