//! Namespaces: identity, what is none, and entering.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use anyhow::{Result, ensure};
use netlink::{Error, Netns, NetnsId};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use crate::node::Node;

#[tokio::test]
async fn identity_is_device_and_inode_and_not_the_path() -> Result<()> {
    let a = Node::new("a")?;
    let b = Node::new("b")?;
    let meta = fs::metadata(a.fixture.path())?;
    let expected = NetnsId {
        dev: meta.dev(),
        inode: meta.ino(),
    };
    assert_eq!(a.netns.id(), expected);
    assert_ne!(a.netns.id(), b.netns.id());
    let inside = a.netns.enter(Netns::current)??;
    assert_eq!(inside.id(), a.netns.id());
    assert_eq!(inside, a.netns);
    assert_eq!(a.netns.path(), a.fixture.path());
    Ok(())
}

#[tokio::test]
async fn a_path_that_was_reused_is_another_namespace() -> Result<()> {
    let first = Node::new("first")?;
    let second = Node::new("second")?;
    let path = first.fixture.path();
    let old = Netns::open(path)?;
    umount2(path, MntFlags::MNT_DETACH)?;
    // What a removed bind mount leaves behind is a plain file.
    let error = Netns::open(path).expect_err("a plain file");
    assert_eq!(error, Error::NotNetns { path: path.into() });
    mount(
        Some(second.fixture.path()),
        path,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )?;
    let new = Netns::open(path)?;
    assert_ne!(new.id(), old.id());
    assert_eq!(new.id(), second.netns.id());
    // The old handle still leads to the old namespace.
    let reached = old.enter(Netns::current)??;
    assert_eq!(reached.id(), old.id());
    Ok(())
}

#[test]
fn what_is_missing_and_what_is_no_namespace_are_told_apart() -> Result<()> {
    let missing = Path::new("/run/berth-tests/no-such-namespace");
    let error = Netns::open(missing).expect_err("missing");
    assert_eq!(
        error,
        Error::NotFound {
            path: missing.into()
        }
    );
    assert!(error.is_not_found());
    assert_eq!(
        error.to_string(),
        "network namespace /run/berth-tests/no-such-namespace does not exist"
    );
    for path in ["/proc/thread-self/ns/mnt", "/etc/passwd", "/", "/dev/null"] {
        let error = Netns::open(Path::new(path)).expect_err(path);
        assert_eq!(error, Error::NotNetns { path: path.into() });
        assert!(!error.is_not_found());
    }
    Ok(())
}

#[test]
fn a_fifo_does_not_hang_the_caller() -> Result<()> {
    let path = std::env::temp_dir().join(format!("berth-fifo-{}", std::process::id()));
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU)?;
    let outcome = Netns::open(&path);
    fs::remove_file(&path)?;
    assert_eq!(outcome.expect_err("a fifo"), Error::NotNetns { path });
    Ok(())
}

#[tokio::test]
async fn the_thread_returns_also_from_a_panic() -> Result<()> {
    let node = Node::new("panic")?;
    let before = Netns::current()?.id();
    let inode = node
        .netns
        .enter(|| File::open("/proc/thread-self/ns/net")?.metadata())??
        .ino();
    assert_eq!(inode, node.netns.id().inode);
    assert_eq!(Netns::current()?.id(), before);
    let outcome = std::panic::catch_unwind(|| node.netns.enter(|| panic!("on purpose")));
    ensure!(outcome.is_err());
    assert_eq!(Netns::current()?.id(), before);
    Ok(())
}

#[tokio::test]
async fn a_connection_stays_where_it_was_opened() -> Result<()> {
    let a = Node::new("a")?;
    let b = Node::new("b")?;
    a.fixture
        .sh("ip link add only-in-a type veth peer name other")?;
    // Used from a thread that is in b meanwhile, and after a's name is gone.
    let netlink = b.netns.enter(|| a.netns.connect())??;
    drop(a.fixture);
    let names: Vec<_> = netlink
        .links()
        .await?
        .into_iter()
        .map(|link| link.name)
        .collect();
    assert!(names.contains(&"only-in-a".to_owned()), "{names:?}");
    assert_eq!(b.netlink.link_by_name("only-in-a").await?, None);
    Ok(())
}

#[test]
fn the_handle_outlives_the_path() -> Result<()> {
    let fixture = tests::netns::Netns::new("gone")?;
    let netns = Netns::open(fixture.path())?;
    let path = fixture.path().to_owned();
    drop(fixture);
    assert_eq!(
        Netns::open(&path).expect_err("removed"),
        Error::NotFound { path }
    );
    assert_eq!(netns.enter(Netns::current)??.id(), netns.id());
    Ok(())
}
