//! Host-local's rows against the programs themselves: `berth-ipam` and `host-local` of the
//! multi-call binary, and, where `BERTH_PEERS` names the folder of the reference plugins
//! (`benches/setup.sh peers` prints it), upstream's host-local: the oracle that tests the
//! rows. With it come the trials of a change-over in place, where both work on one store.
//!
//! The rows that need a look inside (H12 to H20, H31, H35, H37) are in the `ipam` crate.

mod macros;

mod configuration;
mod leases;
mod plugin;
mod together;

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Trial};

use plugin::Plugin;

/// Folder of the reference plugins; without it upstream's host-local is not run.
const PEERS: &str = "BERTH_PEERS";

fn main() -> ExitCode {
    match trials() {
        Ok(trials) => libtest_mimic::run(&Arguments::from_args(), trials).exit_code(),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn trials() -> Result<Vec<Trial>> {
    let links = Arc::new(tempfile::tempdir()?);
    let berth = tests::binaries::berth()?;
    let mut plugins = Vec::new();
    for name in ["berth-ipam", "host-local"] {
        let program = links.path().join(name);
        symlink(&berth, &program)?;
        plugins.push(Plugin {
            name,
            program,
            _links: Some(links.clone()),
        });
    }
    let peer = std::env::var_os(PEERS).map(|folder| PathBuf::from(folder).join("host-local"));
    if let Some(program) = peer {
        ensure!(
            program.exists(),
            "{PEERS}: {} is not there",
            program.display()
        );
        plugins.push(Plugin {
            name: "upstream",
            program,
            _links: None,
        });
    }
    let mut trials = Vec::new();
    let mut add = |name: String, plugin: &Plugin, row: fn(&Plugin) -> Result<()>| {
        let plugin = plugin.clone();
        trials.push(Trial::test(name, move || {
            row(&plugin).map_err(|error| format!("{error:#}").into())
        }));
    };
    for plugin in &plugins {
        for (name, row) in ROWS {
            add(format!("{name}::{}", plugin.name), plugin, *row);
        }
    }
    add(
        "killed_at_every_system_call_of_add".into(),
        &plugins[0],
        |plugin| together::killed(plugin, "ADD"),
    );
    add(
        "killed_at_every_system_call_of_del".into(),
        &plugins[0],
        |plugin| together::killed(plugin, "DEL"),
    );
    if let [ours, _, peer] = &plugins[..] {
        for (name, trial) in TOGETHER {
            let (ours, peer) = (ours.clone(), peer.clone());
            trials.push(Trial::test(*name, move || {
                trial(&ours, &peer).map_err(|error| format!("{error:#}").into())
            }));
        }
    }
    Ok(trials)
}

type Together = fn(&Plugin, &Plugin) -> Result<()>;

const TOGETHER: &[(&str, Together)] = &[
    ("change_over_in_place_and_back", together::change_over),
    ("both_at_once", together::both_at_once),
];

type Row = fn(&Plugin) -> Result<()>;

const ROWS: &[(&str, Row)] = &[
    ("h1_add_and_del", leases::h1_add_and_del),
    ("h2_other_interfaces_stay", leases::h2_other_interfaces_stay),
    ("h3_repeated_add", leases::h3_repeated_add),
    ("h4_old_format", leases::h4_old_format),
    ("h5_unknown_id", leases::h5_unknown_id),
    (
        "h8_to_h11_h24_h25_h30_requested_addresses",
        configuration::requested_addresses,
    ),
    ("h15_round_robin", leases::h15_round_robin),
    ("h18_exhaustion", leases::h18_exhaustion),
    ("h21_to_h23_styles", configuration::styles),
    (
        "h26_to_h29_h32_to_h34_refused_configurations",
        configuration::refused_configurations,
    ),
    ("h36_resolv_conf", configuration::h36_resolv_conf),
];
