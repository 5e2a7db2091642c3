//! Deletion of one and of many.

use anyhow::Result;

use crate::node::{Node, bare};

#[tokio::test]
async fn a_deleted_veth_is_gone_with_its_other_end_and_twice_is_no_error() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    let (host, _) = root.join("host", &pod, "eth0").await?;
    assert!(root.netlink.delete(host.index).await?);
    assert_eq!(root.netlink.link_by_name("host").await?, None);
    assert_eq!(pod.netlink.link_by_name("eth0").await?, None);
    assert!(!root.netlink.delete(host.index).await?);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_deleted_is_refused() -> Result<()> {
    let node = Node::new("lo")?;
    let error = node.netlink.delete(1).await.expect_err("loopback");
    assert!(
        error.is_not_supported() && error.to_string().contains("delete device 1"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn many_are_deleted_and_no_other() -> Result<()> {
    let root = Node::new("root")?;
    let pod = Node::new("pod")?;
    root.fixture
        .sh("ip link add grouped group 7 type veth peer name ungrouped")?;
    let mut doomed = vec![4242];
    for number in 0..20 {
        let (host, eth) = (format!("host{number}"), format!("eth{number}"));
        doomed.push(root.join(&host, &pod, &eth).await?.0.index);
    }
    // Both ends of one pair, and one that is there twice.
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    doomed.extend([pair.link.index, pair.peer_index, pair.link.index]);
    root.netlink.delete_many(&doomed).await?;
    let names: Vec<_> = root
        .netlink
        .links()
        .await?
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert_eq!(names, ["lo", "ungrouped", "grouped"]);
    assert_eq!(pod.netlink.links().await?.len(), 1);
    assert_eq!(root.link("grouped").await?.group, 7);
    root.netlink.delete_many(&doomed).await?;
    root.netlink.delete_many(&[]).await?;
    Ok(())
}

#[tokio::test]
async fn one_that_cannot_be_deleted_does_not_save_the_others() -> Result<()> {
    let root = Node::new("root")?;
    let pair = root
        .netlink
        .create_veth(&bare("a", &root.netns, "b"))
        .await?;
    let error = root
        .netlink
        .delete_many(&[1, pair.link.index])
        .await
        .expect_err("loopback cannot be deleted");
    assert!(error.is_not_supported(), "{error}");
    assert_eq!(root.netlink.link_by_name("a").await?, None);
    assert_eq!(root.link("lo").await?.group, 0);
    Ok(())
}
