//! Filters of devices, on kernels without links for programs: nothing is pinned of them.

use netlink::Netns;

use super::Removal;

pub async fn remove(removal: &mut Removal) {
    if let Err(error) = try_remove(removal).await {
        removal.errors.push(format!("filters of devices: {error}"));
    }
}

async fn try_remove(removal: &mut Removal) -> netlink::Result<()> {
    let netlink = Netns::current()?.connect()?;
    for link in netlink.links().await? {
        let removed = dataplane::devices::remove_filters(&link.name);
        if removed.is_empty() {
            continue;
        }
        let lines = removed
            .iter()
            .map(|program| format!("filter {program} of {}", link.name));
        removal.removed.extend(lines);
        if netlink.remove_idle_clsact(link.index).await? {
            let line = format!("clsact qdisc of {}", link.name);
            removal.removed.push(line);
        }
    }
    Ok(())
}
