//! Asks every switch that the daemon follows or a record names.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use attachment::names;
use ovs::{Switch, VswitchdWatch};

use super::super::scene::{Scene, SwitchScene};

/// A switch that has not answered by then is away.
const LIMIT: Duration = Duration::from_secs(5);

pub async fn look(scene: &mut Scene) {
    let mut sockets: BTreeSet<PathBuf> = scene
        .records
        .iter()
        .filter_map(|record| record.port.switch())
        .map(|port| port.socket.clone())
        .collect();
    sockets.insert(scene.ovsdb.clone());
    for socket in sockets {
        let answer = match tokio::time::timeout(LIMIT, ask(&socket)).await {
            Ok(Ok(switch)) => Ok(switch),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
        };
        scene.switches.insert(socket, answer);
    }
}

async fn ask(socket: &Path) -> ovs::Result<SwitchScene> {
    let switch = Switch::connect(socket).await?;
    Ok(SwitchScene {
        // One that cannot be watched is told by what else it does not do.
        vswitchd: VswitchdWatch::beside(socket)
            .running()
            .await
            .ok()
            .flatten()
            .map(|vswitchd| vswitchd.pid()),
        system: switch.system().await?,
        bridges: switch.bridges().await?,
        owned: switch
            .ports_with_external_id(names::OWNER_KEY, names::OWNER)
            .await?,
    })
}
