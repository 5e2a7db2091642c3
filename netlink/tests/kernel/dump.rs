//! Lists that are whole: many devices, and a table that changes while it is read.

use std::collections::BTreeSet;
use std::process::Child;

use anyhow::{Result, ensure};

use crate::node::{Node, bare};

const PAIRS: usize = 150;

#[tokio::test]
async fn three_hundred_devices_are_listed_once_each() -> Result<()> {
    let node = Node::new("many")?;
    let mut expected = BTreeSet::from(["lo".to_owned()]);
    for number in 0..PAIRS {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        node.netlink.create_veth(&bare(&a, &node.netns, &b)).await?;
        expected.extend([a, b]);
    }
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

/// While another thread creates `first` and then `last`, and deletes them in reverse, no list that was true at one
/// moment has `last` without `first`. One that was read in pieces would: `first` has the lowest index, `last` the
/// highest, and all that lies between does not fit into one piece.
#[tokio::test]
async fn a_list_that_was_interrupted_is_read_again() -> Result<()> {
    const CHANGES: usize = 40;
    let node = Node::new("churn")?;
    node.fixture.sh("ip link add first index 2 type bridge")?;
    for number in 0..PAIRS {
        let (a, b) = (format!("a{number}"), format!("b{number}"));
        node.netlink.create_veth(&bare(&a, &node.netns, &b)).await?;
    }
    node.fixture.sh("ip link del first")?;
    let mut churn = Churn::start(&node)?;
    let mut before = None;
    let mut changes = 0;
    while changes < CHANGES {
        churn.check()?;
        let links = node.netlink.links().await?;
        let has = |name: &str| links.iter().any(|link| link.name == name);
        let state = (has("first"), has("last"));
        assert_ne!(state, (false, true), "a list of two moments");
        assert_eq!(
            links.len(),
            2 * PAIRS + 1 + usize::from(state.0) + usize::from(state.1)
        );
        if before.replace(state).is_some_and(|before| before != state) {
            changes += 1;
        }
    }
    Ok(())
}

/// A process that changes the table until it is dropped.
struct Churn(Child);

impl Churn {
    fn start(node: &Node) -> Result<Self> {
        let child = node
            .fixture
            .command("sh")
            .args([
                "-ec",
                "while :; do printf '%s\\n' \
                 'link add first index 2 type bridge' 'link add last type bridge' \
                 'link del last' 'link del first' | ip -batch -; done",
            ])
            .spawn()?;
        Ok(Self(child))
    }

    /// Fails when the process has ended, which it never does by itself.
    fn check(&mut self) -> Result<()> {
        let ended = self.0.try_wait()?;
        ensure!(ended.is_none(), "the churn ended: {ended:?}");
        Ok(())
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
