//! Tries what the kernel can do, in a namespace that lasts as long as the trial.

use std::path::Path;

use netlink::{
    BondSpec, Error, FailOverMac, MacvlanMode, MacvlanSpec, Netlink, Netns, VethPeer, VethSpec,
};
use nix::sched::{CloneFlags, unshare};
use tokio::sync::oneshot;

use super::super::scene::KernelScene;

pub async fn look() -> KernelScene {
    // A thread of its own, because it cannot leave the namespace that it makes.
    let (tell, told) = oneshot::channel();
    std::thread::spawn(|| {
        // Nobody to tell: the one who asked hung up.
        let _ = tell.send(trial());
    });
    let mut kernel = told.await.unwrap_or_else(|_| KernelScene {
        untried: Some("the trial broke off".to_owned()),
        ..KernelScene::default()
    });
    kernel.openvswitch = Path::new("/sys/module/openvswitch").exists();
    if !Path::new("/dev/net/tun").exists() {
        kernel
            .missing
            .insert("tun", "/dev/net/tun is not there".to_owned());
    }
    kernel
}

fn trial() -> KernelScene {
    let mut kernel = KernelScene::default();
    let prepared = unshare(CloneFlags::CLONE_NEWNET)
        .map_err(|errno| errno.to_string())
        .and_then(|()| Netns::current().map_err(|error| error.to_string()))
        .and_then(|netns| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(|error| error.to_string())?;
            Ok((netns, runtime))
        });
    match prepared {
        Ok((netns, runtime)) => runtime.block_on(features(&netns, &mut kernel)),
        Err(error) => kernel.untried = Some(error),
    }
    kernel
}

async fn features(netns: &Netns, kernel: &mut KernelScene) {
    let netlink = match netns.connect() {
        Ok(netlink) => netlink,
        Err(error) => {
            kernel.untried = Some(error.to_string());
            return;
        }
    };
    let mut note = |feature, outcome: Result<(), Error>| {
        if let Err(error) = outcome {
            let answer = error
                .errno()
                .map_or_else(|| error.to_string(), |errno| errno.desc().to_owned());
            kernel.missing.insert(feature, answer);
        }
    };
    note("bonding", bond(&netlink).await);
    let veth = veth(netns, &netlink).await;
    if let Ok(lower) = veth {
        note("macvlan", macvlan(netns, &netlink, lower).await);
    }
    note("veth", veth.map(drop));
}

async fn bond(netlink: &Netlink) -> Result<(), Error> {
    let spec = BondSpec {
        name: "trial-bond",
        mac: None,
        mtu: None,
        alias: None,
        fail_over_mac: FailOverMac::None,
        miimon: 100,
        up: false,
    };
    netlink.create_bond(&spec).await.map(drop)
}

async fn veth(netns: &Netns, netlink: &Netlink) -> Result<u32, Error> {
    let spec = VethSpec {
        name: "trial-veth",
        mac: None,
        mtu: None,
        alias: None,
        up: false,
        peer: VethPeer {
            netns,
            name: "trial-peer",
            mac: None,
            mtu: None,
        },
    };
    Ok(netlink.create_veth(&spec).await?.link.index)
}

async fn macvlan(netns: &Netns, netlink: &Netlink, lower: u32) -> Result<(), Error> {
    let spec = MacvlanSpec {
        name: "trial-macvlan",
        lower,
        mode: MacvlanMode::Passthru,
        mac: None,
        mtu: None,
        netns,
        up: false,
    };
    netlink.create_macvlan(&spec).await
}
