//! CHECK: is everything as ADD left it, and is that what `prevResult` says.
//!
//! It only looks, at this attachment alone: runtimes ask often.

use attachment::record::Attachment;
use attachment::{Drift, Host, Key, Phase, Store};

use crate::config::{Config, IpamSource};
use crate::error::Error;
use crate::request::Request;
use crate::result::CniResult;
use crate::{ipam_source, masquerade, sandbox};

/// Serves CHECK.
pub async fn run(request: &Request) -> Result<(), Error> {
    let config = Config::parse(request)?;
    let sandbox = sandbox::open(request)?;
    let Some(previous) = &config.prev_result else {
        return Err(Error::Config("CHECK needs \"prevResult\"".to_owned()));
    };
    let store = Store::at(&config.places.state_dir);
    let key = Key::new(&request.container_id, &request.ifname);
    let record = store.read(&key)?.ok_or_else(|| {
        Error::UnknownContainer(format!(
            "no attachment {key} of network {} is known",
            request.network
        ))
    })?;
    let mut wrong = differences(&record, previous);
    let (dev, inode) = (sandbox.id().dev, sandbox.id().inode);
    if (record.netns.dev, record.netns.inode) != (dev, inode) {
        wrong.push(format!(
            "CNI_NETNS {} is another namespace than at ADD",
            sandbox.path().display()
        ));
    }
    if record.phase != Phase::Ready {
        wrong.push(format!("its record is in phase {:?}", record.phase));
    }
    let drifts = attachment::check(&Host::current()?, &record).await?;
    let is_away = |drift: &Drift| matches!(drift, Drift::SwitchAway(_));
    if let (true, Some(away)) = (wrong.is_empty(), drifts.iter().find(|drift| is_away(drift)))
        && drifts.iter().all(is_away)
    {
        // Nothing is known to be wrong with the pod.
        return Err(Error::TryAgain(format!("attachment {key}: {away}")));
    }
    wrong.extend(drifts.iter().map(ToString::to_string));
    if !record.masquerade.is_empty()
        && !masquerade::is_present(&record.port_name, &record.masquerade)?
    {
        wrong.push("masquerade rules are missing".to_owned());
    }
    if !wrong.is_empty() {
        return Err(Error::Mismatch(format!(
            "attachment {key}: {}",
            wrong.join("; ")
        )));
    }
    // With prevResult given, a missing `ipam` means that another plugin allocates.
    match &config.ipam {
        IpamSource::PrevResult => Ok(()),
        source => ipam_source::check(request, source),
    }
}

/// In what the record of an attachment is not what the runtime was told.
fn differences(record: &Attachment, previous: &CniResult) -> Vec<String> {
    let sandbox = record.netns.path.to_string_lossy();
    let mut interfaces = previous.interfaces.iter().enumerate();
    let ours = interfaces.find(|(_, one)| {
        one.name == record.ifname && one.sandbox.as_deref() == Some(sandbox.as_ref())
    });
    let Some((index, interface)) = ours else {
        return vec![format!(
            "prevResult has no interface {} in {sandbox}",
            record.ifname
        )];
    };
    let mut wrong = Vec::new();
    let mac = record.mac.to_string();
    if let Some(other) = interface
        .mac
        .as_ref()
        .filter(|other| !other.eq_ignore_ascii_case(&mac))
    {
        wrong.push(format!(
            "prevResult has MAC {other} for {}, it is {mac}",
            record.ifname
        ));
    }
    let theirs: Vec<_> = previous
        .ips
        .iter()
        .filter(|ip| ip.interface == Some(index))
        .map(|ip| ip.address.ip())
        .collect();
    let ours: Vec<_> = record
        .addresses
        .iter()
        .map(|one| one.address.ip())
        .collect();
    for ip in theirs.iter().filter(|ip| !ours.contains(ip)) {
        wrong.push(format!(
            "prevResult has address {ip}, which {} has not",
            record.ifname
        ));
    }
    for ip in ours.iter().filter(|ip| !theirs.contains(ip)) {
        wrong.push(format!(
            "prevResult lacks address {ip} of {}",
            record.ifname
        ));
    }
    wrong
}
