//! A port of OVS without a plugin: what vswitchd needs for itself.
//!
//! One connection is kept open and one port added and removed over it, so that
//! neither a process nor a handshake is part of the time.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ovs::{InterfaceType, PortSpec, Switch};
use tests::rig::Strategy;
use tokio::runtime::{Builder, Runtime};

use crate::contender::{BRIDGE, Contender};

const NAME: &str = "bare0";

/// Long enough for a busy machine; a vswitchd that needs it is an error.
const LIMIT: Duration = Duration::from_secs(30);

/// A port that is added and removed by itself, on the switch of a contender.
#[derive(Debug)]
pub struct BarePort {
    runtime: Runtime,
    switch: Switch,
    spec: PortSpec,
}

impl BarePort {
    /// A port of the kind that the strategy gives to OVS: a system device for `veth`, else an internal one.
    ///
    /// # Errors
    /// When the contender has no switch, or it does not answer.
    pub fn on(contender: &Contender, strategy: Strategy) -> Result<Self> {
        let socket = contender
            .ovs()
            .context("a contender without a switch")?
            .socket();
        let kind = match strategy {
            Strategy::Veth => {
                let make = format!(
                    "ip link add {NAME} type veth peer name bare1 && ip link set {NAME} up && ip link set bare1 up"
                );
                contender.node().sh(&make)?;
                InterfaceType::System
            }
            Strategy::Rename | Strategy::Bond | Strategy::Macvlan => InterfaceType::Internal,
        };
        let mut spec = PortSpec::new(BRIDGE, NAME, kind);
        spec.limit = LIMIT;
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .context("no runtime")?;
        let switch = runtime.block_on(Switch::connect(socket))?;
        Ok(Self {
            runtime,
            switch,
            spec,
        })
    }

    /// Add the port and remove it; milliseconds until vswitchd had done each.
    ///
    /// # Errors
    /// When the switch refuses or does not act.
    pub fn once(&self) -> Result<(f64, f64)> {
        self.runtime.block_on(async {
            // What the plugin has left for vswitchd to do is not this port's.
            self.switch.settled(LIMIT).await?;
            let start = Instant::now();
            self.switch
                .add_port(&self.spec)
                .await
                .context("the bare port")?;
            let added = start.elapsed();
            let start = Instant::now();
            let removed = self.switch.del_port(NAME, &ovs::ExternalIds::new()).await?;
            self.switch.settled(LIMIT).await?;
            let gone = start.elapsed();
            ensure!(removed, "the bare port was gone before it was removed");
            Ok((added.as_secs_f64() * 1e3, gone.as_secs_f64() * 1e3))
        })
    }
}
