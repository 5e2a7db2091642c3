//! OpenFlow's NO_FLOOD bits, which are in no database: vswitchd keeps them in memory alone.
//!
//! An operator sets and clears one by hand (`ovs-ofctl mod-port`), a restart of vswitchd
//! clears it behind his back. The record learns what he did and restores it; the two are
//! told apart by the life of the bit.
//!
//! Who asks for them learns as well which ports the bridge has: a renamed port of the kernel
//! datapath may be forgotten while its device lives and its row says nothing of it.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ovs::Uuid;
use ovs::openflow::{OpenFlow, PortConfig};
use tokio::time::timeout;

use crate::record::{Attachment, SwitchPort};
use crate::strategy::rename_kernel;
use crate::view::{PortView, SwitchView};

/// How long a look waits for bits that no record has: a vswitchd just started reconfigures
/// for seconds, and repairs are waiting.
const LEARN_LIMIT: Duration = Duration::from_millis(100);

/// What a bit lives as long as: one run of vswitchd, and one row of the database. Between
/// two looks at the same life only somebody's hand changes the bit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Life {
    /// The bridge's management socket, which each run of vswitchd makes anew: its inode
    /// and the time it was made, in nanoseconds.
    pub socket: (u64, i64, i64),
    /// The row of the interface.
    pub row: Option<Uuid>,
}

/// A port's NO_FLOOD bit at one look.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Flood {
    /// Whether NO_FLOOD is set.
    pub off: bool,
    /// How long it will stay so.
    pub life: Life,
}

/// Asks the bridges of `records` for the bits: of every port (`all`), or only of those
/// whose record has the bit, or which may be forgotten. A bridge that does not answer
/// tells nothing.
pub(crate) async fn look(
    records: &[Attachment],
    switches: &mut BTreeMap<PathBuf, SwitchView>,
    all: bool,
) {
    let mut answers: BTreeMap<(PathBuf, String), Option<Bits>> = BTreeMap::new();
    for record in records {
        let forgettable = rename_kernel::applies(record);
        let asked_for = |port: &&SwitchPort| all || port.no_flood || forgettable;
        let Some(port) = record.port.switch().filter(asked_for) else {
            continue;
        };
        let Some(SwitchView::Present(state)) = switches.get_mut(&port.socket) else {
            continue;
        };
        if !state.vswitchd_alive {
            continue;
        }
        let Some(view) = state.ports.get_mut(&record.port_name) else {
            continue;
        };
        let place = (port.socket.clone(), port.bridge.clone());
        if !answers.contains_key(&place) {
            // To restore a bit is worth waiting for a busy vswitchd, to learn one is not.
            let restore = records.iter().filter_map(|record| record.port.switch());
            let restore = restore
                .filter(|other| (&other.socket, &other.bridge) == (&place.0, &place.1))
                .any(|other| other.no_flood);
            let asked = ask(&port.socket, &port.bridge);
            let answer = if restore {
                asked.await
            } else {
                timeout(LEARN_LIMIT, asked).await.unwrap_or(None)
            };
            if answer.is_none() {
                tracing::debug!(bridge = port.bridge, "flood bits not told");
            }
            answers.insert(place.clone(), answer);
        }
        if let Some(Some(bits)) = answers.get(&place) {
            view.no_flood = bits.of(&record.port_name, view);
            view.forgotten = forgettable && view.no_flood.is_none();
        }
    }
}

/// The bits of one bridge.
struct Bits {
    socket: (u64, i64, i64),
    off: BTreeMap<String, bool>,
}

impl Bits {
    fn of(&self, name: &str, view: &PortView) -> Option<Flood> {
        Some(Flood {
            off: *self.off.get(name)?,
            life: Life {
                socket: self.socket,
                row: view.row,
            },
        })
    }
}

async fn ask(ovsdb: &Path, bridge: &str) -> Option<Bits> {
    let rundir = ovsdb.parent().unwrap_or(Path::new("/"));
    let socket = rundir.join(format!("{bridge}.mgmt"));
    // Before and after: what was asked of one run is not taken for another's.
    let born = born(&socket)?;
    let ports = OpenFlow::connect(rundir, bridge)
        .await
        .ok()?
        .ports()
        .await
        .ok()?;
    let off = ports
        .into_iter()
        .map(|port| {
            let off = port.config.contains(PortConfig::NO_FLOOD);
            (port.name, off)
        })
        .collect();
    let same = self::born(&socket)? == born;
    same.then_some(Bits { socket: born, off })
}

fn born(socket: &Path) -> Option<(u64, i64, i64)> {
    let file = socket.metadata().ok()?;
    Some((file.ino(), file.ctime(), file.ctime_nsec()))
}
