//! Takes one look at the node. What cannot be looked at becomes a line in [`Scene::blind`], never an end of the look.

mod kernel;
mod leases;
mod pods;
mod switches;

use attachment::Store;
use netlink::{Netlink, Netns};

use super::Scope;
use super::scene::Scene;
use crate::board::Board;
use crate::{clock, confs, process, records};

/// One look.
pub async fn scene(scope: &Scope, board: Option<&Board>) -> Scene {
    let mut scene = Scene {
        state_dir: scope.state_dir.clone(),
        ovsdb: scope.ovsdb.clone(),
        wall: clock::now_us() / 1_000_000,
        boot: process::boot_time().unwrap_or(0),
        daemon: board.is_some(),
        ..Scene::default()
    };
    if let Some(board) = board {
        let facts = board.facts();
        scene.failures = facts
            .failures
            .values()
            .map(|failure| (failure.subject.clone(), failure.error.clone()))
            .collect();
    }
    let store = Store::at(&scope.state_dir);
    match store.list() {
        Ok(listing) => {
            scene.records = listing.attachments;
            scene.broken = listing
                .broken
                .iter()
                .map(|error| (records::path_of(error), error.to_string()))
                .collect();
        }
        Err(error) => scene.blind("attachment records", &error),
    }
    switches::look(&mut scene).await;
    if let Err(error) = devices(&mut scene).await {
        scene.blind("devices of the node", &error);
    }
    pods::look(&mut scene).await;
    scene.kernel = kernel::look().await;
    match confs::read(&scope.cni_dir) {
        Ok(found) => scene.confs = found,
        Err(error) => scene.blind(&scope.cni_dir.display().to_string(), &error),
    }
    leases::look(&mut scene, &scope.ipam_dir);
    scene
}

impl Scene {
    fn blind(&mut self, what: &str, reason: &impl ToString) {
        self.blind.push((what.to_owned(), reason.to_string()));
    }
}

async fn devices(scene: &mut Scene) -> netlink::Result<()> {
    let netlink = Netns::current()?.connect()?;
    scene.links = netlink.links().await?;
    scene.uplinks = uplinks(scene, &netlink).await?;
    Ok(())
}

/// Devices of the default routes.
async fn uplinks(scene: &Scene, netlink: &Netlink) -> netlink::Result<Vec<String>> {
    let routes = netlink.routes(None).await?;
    let mut names: Vec<_> = routes
        .iter()
        .filter(|route| route.dst.prefix() == 0)
        .filter_map(|route| {
            scene
                .links
                .iter()
                .find(|link| link.index == route.dev && link.up)
        })
        .map(|link| link.name.clone())
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
