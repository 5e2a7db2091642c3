//! Lists that are whole: many devices, and a table that changes while it is read.

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use anyhow::Result;

use crate::node::{Node, bare};

const PAIRS: usize = 150;

#[tokio::test]
async fn three_hundred_devices_are_listed_once_each() -> Result<()> {
    let node = Node::new("many")?;
    let expected = many(&node).await?;
    let links = node.netlink.links().await?;
    assert_eq!(links.len(), 2 * PAIRS + 1);
    let names: BTreeSet<_> = links.iter().map(|link| link.name.clone()).collect();
    assert_eq!(names, expected);
    let indexes: BTreeSet<_> = links.iter().map(|link| link.index).collect();
    assert_eq!(indexes.len(), links.len());
    // Devices are told apart in full: one of them by name and in the list is the same.
    let one = node.link("a77").await?;
    assert!(links.contains(&one));
    node.netlink
        .delete_many(
            &indexes
                .into_iter()
                .filter(|&index| index != 1)
                .collect::<Vec<_>>(),
        )
        .await?;
    assert_eq!(node.netlink.links().await?.len(), 1);
    Ok(())
}

/// The kernel answers in pieces. After the first one a device of a low index and one of a high index come into being:
/// what is read on has the second without the first, which was true at no moment.
#[tokio::test]
async fn a_list_that_was_interrupted_is_read_again() -> Result<()> {
    let node = Node::new("interrupted")?;
    node.fixture.sh("ip link add first index 2 type bridge")?;
    many(&node).await?;
    node.fixture.sh("ip link del first")?;

    let mut list = pin!(node.netlink.links());
    let first_poll = poll_fn(|context| Poll::Ready(list.as_mut().poll(context))).await;
    assert!(
        first_poll.is_pending(),
        "the request waits for the connection's task"
    );
    // Now that task sends it, and the kernel prepares the first piece.
    tokio::task::yield_now().await;
    node.fixture
        .sh("ip link add first index 2 type bridge && ip link add last type bridge")?;
    let names: BTreeSet<_> = list.await?.into_iter().map(|link| link.name).collect();
    assert!(
        names.contains("last"),
        "the list was complete before the change"
    );
    assert!(names.contains("first"), "a list of two moments");
    assert_eq!(names.len(), 2 * PAIRS + 3);
    Ok(())
}

/// Makes as many pairs, and tells all names that there are then.
async fn many(node: &Node) -> Result<BTreeSet<String>> {
    for number in 0..PAIRS {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        node.netlink.create_veth(&bare(&a, &node.netns, &b)).await?;
    }
    let pairs = (0..PAIRS).flat_map(|number| [format!("a{number}"), format!("b{number}")]);
    Ok(pairs.chain(["lo".to_owned()]).collect())
}
