//! Through the namespaces, to end what is to be ended.

use std::collections::BTreeMap;
use std::path::Path;

use abi::SocketKey;
use dataplane::sockets::Sockets;
use netlink::{InetSocket, Netns, all_netns};
use nix::errno::Errno;

use super::judge::{Place, Question, Suspects};

/// What came of a look.
#[derive(Debug, Default)]
pub struct Outcome {
    /// How many sockets were ended, by the id of their Service port.
    pub ended: BTreeMap<u32, u64>,
    /// Whether the kernel cannot end any.
    pub is_unable: bool,
}

/// What is seen on the way.
#[derive(Debug, Default)]
struct Walk {
    outcome: Outcome,
    /// The peer of each UDP socket.
    seen: BTreeMap<u64, Option<Place>>,
    forgotten: Vec<SocketKey>,
    failed: bool,
}

/// Ends the sockets in question, in whatever namespace they are. Once all is settled, entries of sockets that are no
/// more are removed from the table; before, a socket that is not seen may be one that is about to connect.
pub fn act(bpf_dir: &Path, question: &Question, is_settled: bool) -> Outcome {
    let mut walk = Walk::default();
    if let Err(error) = walk.through(bpf_dir, question, is_settled) {
        tracing::warn!(%error, "sockets of Services cannot be looked at");
    }
    walk.outcome
}

impl Walk {
    fn through(
        &mut self,
        bpf_dir: &Path,
        question: &Question,
        is_settled: bool,
    ) -> dataplane::Result<()> {
        let mut table = Sockets::open(bpf_dir)?;
        let suspects = Suspects::of(table.find(|key, origin| question.is_vanished(key, origin))?);
        if suspects.is_empty() {
            return Ok(());
        }
        for netns in all_netns() {
            if let Err(error) = self.visit(&netns, &suspects) {
                self.failed = true;
                self.note(&netns, &error);
            }
            if suspects.are_among(&self.seen) {
                break;
            }
        }
        if is_settled && !self.failed {
            self.forgotten.extend(suspects.needless(&self.seen));
        }
        for key in &self.forgotten {
            table.forget(key)?;
        }
        Ok(())
    }

    /// Ends what is to be ended in one namespace.
    fn visit(&mut self, netns: &Netns, suspects: &Suspects) -> netlink::Result<()> {
        let diag = netns.sock_diag()?;
        loop {
            let (mut ended, mut missed) = (false, false);
            for socket in diag.udp_sockets()? {
                let (cookie, peer) = (socket.cookie(), peer(&socket));
                self.seen.insert(cookie, peer);
                let Some((key, port_id)) = suspects.doom(cookie, peer) else {
                    continue;
                };
                if !diag.destroy(&socket)? {
                    missed = true;
                    continue;
                }
                ended = true;
                *self.outcome.ended.entry(port_id).or_default() += 1;
                self.forgotten.push(key);
            }
            // Of sockets that share address and port the kernel ends one after the other.
            if !(ended && missed) {
                return Ok(());
            }
        }
    }

    fn note(&mut self, netns: &Netns, error: &netlink::Error) {
        // Where it does not even tell of UDP sockets, it has no such thing or no such kind of netlink.
        let lacks = [Errno::ENOENT, Errno::EPROTONOSUPPORT];
        if error.is_not_supported() || error.errno().is_some_and(|errno| lacks.contains(&errno)) {
            self.outcome.is_unable = true;
        } else {
            tracing::warn!(
                namespace = %netns.path().display(), %error,
                "UDP sockets of a namespace cannot be looked at"
            );
        }
    }
}

/// Whom a socket is connected to.
fn peer(socket: &InetSocket) -> Option<Place> {
    let peer = socket.peer()?;
    Some((peer.ip().into(), peer.port().to_be()))
}
