//! UDP sockets of a namespace, listed and ended by the kernel.

use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use netlink::{InetSocket, Netns};

/// A socket in a namespace, connected to `peer`.
fn connected(fixture: &tests::netns::Netns, any: &str, peer: SocketAddr) -> Result<UdpSocket> {
    fixture.run(|| {
        let socket = UdpSocket::bind(any)?;
        socket.connect(peer)?;
        Ok(socket)
    })
}

#[test]
fn a_connected_socket_is_found_and_ended_in_each_family() -> Result<()> {
    let fixture = tests::netns::Netns::new("sockets")?;
    let diag = Netns::open(fixture.path())?.sock_diag()?;
    ensure!(diag.udp_sockets()?.is_empty());
    let free = fixture.run(|| Ok(UdpSocket::bind("127.0.0.1:9")?))?;
    for (any, peer, shown) in [
        ("0.0.0.0:0", "127.0.0.1:81", "127.0.0.1:81"),
        ("[::]:0", "[::1]:82", "[::1]:82"),
        ("[::]:0", "[::ffff:127.0.0.1]:83", "127.0.0.1:83"),
    ] {
        let (peer, shown) = (peer.parse()?, shown.parse()?);
        let socket = connected(&fixture, any, peer)?;
        let other = connected(&fixture, any, peer)?;
        let all = diag.udp_sockets()?;
        let to_peer = |it: &&InetSocket| it.peer() == Some(shown);
        let found: Vec<&InetSocket> = all.iter().filter(to_peer).collect();
        // And nobody else's: children of other tests hold copies of closed ones for a moment.
        ensure!(found.len() == 2, "{all:?}");
        ensure!(found[0].cookie() != found[1].cookie());
        ensure!(diag.destroy(found[0])?);
        ensure!(!diag.destroy(found[0])?, "ended twice");
        let said: Vec<_> = [&socket, &other]
            .iter()
            .filter_map(|socket| socket.take_error().ok()?)
            .collect();
        ensure!(said.len() == 1, "{said:?}");
        let said = said.first().context("no error")?.kind();
        ensure!(said == ErrorKind::ConnectionAborted, "{said:?}");
        ensure!(diag.udp_sockets()?.iter().filter(to_peer).count() == 1);
    }
    ensure!(free.take_error()?.is_none());
    Ok(())
}

#[test]
fn namespaces_are_found_by_their_mounts_and_by_their_processes() -> Result<()> {
    let fixture = tests::netns::Netns::new("mounted")?;
    let id = Netns::open(fixture.path())?.id();
    let is_there = || netlink::all_netns().iter().any(|netns| netns.id() == id);
    ensure!(is_there());
    let mut child = fixture.command("sleep").arg("1000").spawn()?;
    drop(fixture);
    // The mount is gone, the process is there.
    let by_process = is_there();
    child.kill()?;
    child.wait()?;
    ensure!(by_process);
    ensure!(!is_there());
    ensure!(Netns::open(Path::new("/proc/self/ns/net"))?.id() != id);
    Ok(())
}
