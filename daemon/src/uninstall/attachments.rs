//! Records of dead pods with their leases, and ports of ours that no record owns.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use attachment::record::Attachment;
use attachment::view::{Observed, PodView};
use attachment::{
    Action, Actor, Host, Look, Memory, Outcome, Store, look_at_switch, observe, plan,
};
use ovs::Session;

use super::Removal;
use crate::config::Settings;
use crate::confs;
use crate::reattach::clean_record;

/// Between the two looks that must both find something dead.
const SECOND_LOOK: Duration = Duration::from_millis(2_050);

/// How long OVSDB may take to answer.
const ANSWER: Duration = Duration::from_secs(2);

pub async fn remove(settings: &Settings, removal: &mut Removal) {
    if let Err(error) = try_remove(settings, removal).await {
        removal.errors.push(error);
    }
}

async fn try_remove(settings: &Settings, removal: &mut Removal) -> Result<(), String> {
    let store = Store::at(&settings.state_dir);
    let host = Host::current().map_err(|error| error.to_string())?;
    let zero = Instant::now();
    let mut memory = Memory::default();
    let (records, first) = look(settings, &store, &host, zero, &memory).await?;
    memory.remember(&records, &first);
    if memory.suspicions.is_empty() && !records.iter().any(|r| is_gone(r, &first)) {
        leave(&records, removal);
        return Ok(());
    }
    tokio::time::sleep(SECOND_LOOK).await;
    let (records, second) = look(settings, &store, &host, zero, &memory).await?;
    let actor = Actor::new(&host, &store);
    let mut failed = BTreeSet::new();
    for action in plan(&records, &second) {
        let line = match &action {
            Action::DeleteOrphan { bridge, port, .. } => format!("port {port} of bridge {bridge}"),
            Action::Release { .. } => String::new(),
            _ => continue,
        };
        match actor.act(&action).await {
            Ok(Outcome::Done) if line.is_empty() => {}
            Ok(Outcome::Done) => removal.removed.push(line),
            // Somebody else is at it, or it is gone: its record is not ours to take away now.
            Ok(_) => failed.extend(action.key().cloned()),
            Err(error) => {
                failed.extend(action.key().cloned());
                removal.errors.push(format!("{}: {error}", action.verb()));
            }
        }
    }
    let (dead, alive): (Vec<_>, Vec<_>) = records
        .into_iter()
        .partition(|record| is_gone(record, &first) && is_gone(record, &second));
    let confs = confs::read(&settings.cni_conf_dir).map_err(|error| error.to_string())?;
    let networks = confs::networks(&confs, &dead, &settings.ipam_dir);
    // Nor is the record of a port whose switch did not answer: it is all that is known of the port.
    let answers = |record: &Attachment| {
        let switch = record.port.switch().map(|port| &port.socket);
        switch.is_none_or(|socket| {
            second
                .switches
                .get(socket)
                .is_some_and(|s| s.state().is_some())
        })
    };
    for record in dead {
        if failed.contains(&record.key()) || !answers(&record) {
            let line = format!(
                "{}: its port is still there, run uninstall again",
                record.key()
            );
            removal.errors.push(line);
            continue;
        }
        let record = &record;
        let data_dir = confs::data_dir(&networks, record, &settings.ipam_dir);
        remove_record(&store, data_dir, record, removal);
    }
    leave(&alive, removal);
    Ok(())
}

async fn look(
    settings: &Settings,
    store: &Store,
    host: &Host,
    zero: Instant,
    memory: &Memory,
) -> Result<(Vec<Attachment>, Observed), String> {
    let listing = store.list().map_err(|error| error.to_string())?;
    let records = listing.attachments;
    let mut look = Look {
        now: zero.elapsed(),
        state_dir: settings.state_dir.clone(),
        complete: listing.broken.is_empty(),
        memory: memory.clone(),
        ..Look::default()
    };
    for port in records.iter().filter_map(|record| record.port.switch()) {
        if port.socket != settings.ovsdb && !look.switches.contains_key(&port.socket) {
            let view = look_at_switch(&port.socket, &records).await;
            look.switches.insert(port.socket.clone(), view);
        }
    }
    // Only a whole copy of the tables shows ports without a record.
    let session = Session::start(&settings.ovsdb);
    let mut snapshots = session.subscribe();
    let live = snapshots.wait_for(|snapshot| snapshot.is_live());
    // One that does not answer is seen as away.
    let _ = tokio::time::timeout(ANSWER, live).await;
    let view = attachment::switch_of_snapshot(&session.snapshot(), true);
    look.switches.insert(settings.ovsdb.clone(), view);
    let observed = observe(host, &records, look)
        .await
        .map_err(|error| error.to_string())?;
    Ok((records, observed))
}

fn is_gone(record: &Attachment, observed: &Observed) -> bool {
    let pod = observed.pods.get(&record.key());
    matches!(pod, Some(PodView::Gone | PodView::Replaced))
}

fn remove_record(store: &Store, data_dir: &Path, record: &Attachment, removal: &mut Removal) {
    let path = store.path(&record.key());
    match clean_record(store, data_dir, record) {
        Ok(addresses) => {
            let leases = addresses
                .iter()
                .map(|address| format!("lease of {address} in network {}", record.network));
            removal.removed.extend(leases);
            let line = format!("record {} of a pod that is gone", path.display());
            removal.removed.push(line);
        }
        Err(error) => removal
            .errors
            .push(format!("record {}: {error}", path.display())),
    }
}

fn leave(records: &[Attachment], removal: &mut Removal) {
    for record in records {
        let pod = record.pod.as_ref().map_or_else(String::new, |pod| {
            format!(" of pod {}/{}", pod.namespace, pod.name)
        });
        removal.left.push(format!(
            "interface {}{pod} with its record and port: it lives until DEL",
            record.key()
        ));
    }
}
