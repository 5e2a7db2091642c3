//! Sysctls belong to the namespace, whatever thread asks.

use anyhow::Result;
use netlink::{Error, Netns};
use nix::errno::Errno;

use crate::node::{Node, bare};

const FORWARDING: &str = "net/ipv4/ip_forward";

#[tokio::test]
async fn a_value_is_set_in_one_namespace_alone() -> Result<()> {
    let a = Node::new("a")?;
    let b = Node::new("b")?;
    let own = Netns::current()?;
    let before = own.sysctl_get(FORWARDING)?;
    for value in ["1", "0", "1"] {
        a.netns.sysctl_set(FORWARDING, value)?;
        assert_eq!(a.netns.sysctl_get(FORWARDING)?, value);
        assert_eq!(a.fixture.sh("cat /proc/sys/net/ipv4/ip_forward")?, value);
        assert_eq!(b.netns.sysctl_get(FORWARDING)?, "0");
        assert_eq!(own.sysctl_get(FORWARDING)?, before);
    }
    Ok(())
}

#[tokio::test]
async fn keys_of_a_device_exist_only_where_it_does() -> Result<()> {
    let a = Node::new("a")?;
    let b = Node::new("b")?;
    a.netlink
        .create_veth(&bare("eth0.100", &a.netns, "x"))
        .await?;
    let key = "net/ipv6/conf/eth0.100/disable_ipv6";
    a.netns.sysctl_set(key, "1")?;
    assert_eq!(a.netns.sysctl_get(key)?, "1");
    assert_eq!(
        a.fixture
            .sh("cat /proc/sys/net/ipv6/conf/eth0.100/disable_ipv6")?,
        "1"
    );
    for error in [
        b.netns.sysctl_get(key).expect_err("no such device there"),
        b.netns
            .sysctl_set(key, "1")
            .expect_err("no such device there"),
    ] {
        assert!(
            matches!(&error, Error::Sysctl { key: named, .. } if named == key),
            "{error}"
        );
        assert!(error.is_not_found(), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn a_value_that_is_refused_is_an_error_that_names_the_key() -> Result<()> {
    let node = Node::new("refused")?;
    let error = node
        .netns
        .sysctl_set(FORWARDING, "often")
        .expect_err("no number");
    assert_eq!(error.errno(), Some(Errno::EINVAL));
    let text = error.to_string();
    assert!(
        text.starts_with("cannot write sysctl net/ipv4/ip_forward in network namespace"),
        "{text}"
    );
    assert_eq!(node.netns.sysctl_get(FORWARDING)?, "0");
    Ok(())
}

#[tokio::test]
async fn a_key_that_escapes_is_refused_unopened() -> Result<()> {
    let node = Node::new("escape")?;
    let key = "net/../kernel/ostype";
    for error in [
        node.netns.sysctl_get(key).expect_err("it leads out"),
        node.netns.sysctl_set(key, "x").expect_err("it leads out"),
    ] {
        assert!(
            matches!(&error, Error::Invalid { value, .. } if value == key),
            "{error}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn many_threads_do_not_see_each_others_namespace() -> Result<()> {
    let nodes = (0..4)
        .map(|n| Node::new(&format!("n{n}")))
        .collect::<Result<Vec<_>>>()?;
    let key = "net/ipv4/ip_default_ttl";
    std::thread::scope(|scope| {
        for (number, node) in nodes.iter().enumerate() {
            scope.spawn(move || {
                let value = (10 + number).to_string();
                for _ in 0..50 {
                    node.netns.sysctl_set(key, &value).expect("set");
                    assert_eq!(node.netns.sysctl_get(key).expect("get"), value);
                }
            });
        }
    });
    Ok(())
}
