//! Restarts and upgrades under load: no connection is lost and none refused.

use std::fs;
use std::process::{Child, Stdio};

use anyhow::{Result, ensure};
use serde_json::json;
use tests::netns::Netns;

use crate::lan::Lan;
use crate::outside::{FAMILIES, all_of, end, rig, write};
use crate::rig::{NODE_V4, Rig};

/// How much is asked meanwhile, one question after the other.
const QUESTIONS: usize = 4000;

/// Questions from inside, by sockets that are balanced, and from outside, by packets; and one socket that is held.
struct Load {
    children: Vec<(&'static str, Child, usize)>,
}

impl Load {
    fn start(rig: &Rig, lan: &Lan) -> Result<Self> {
        let talk = env!("CARGO_BIN_EXE_talk");
        let spawn = |netns: &Netns, program: &str, words: &[String]| -> Result<Child> {
            let mut command = netns.command(program);
            Ok(command.args(words).stdout(Stdio::piped()).spawn()?)
        };
        let words =
            |words: &[&str]| -> Vec<String> { words.iter().map(|w| (*w).to_owned()).collect() };
        let times = QUESTIONS.to_string();
        let inside = rig.cgroup.inside(&[talk, "tcp", "10.96.0.1", "80", &times]);
        let outside = words(&["tcp", NODE_V4, "30001", &times]);
        let held = words(&["udp-hold", NODE_V4, "30001", "300"]);
        Ok(Self {
            children: vec![
                ("inside", spawn(&rig.node.netns, "sh", &inside)?, QUESTIONS),
                ("outside", spawn(&lan.client, talk, &outside)?, QUESTIONS),
                ("held", spawn(&lan.client, talk, &held)?, 300),
            ],
        })
    }

    /// Every question was answered.
    fn finish(self) -> Result<()> {
        for (what, child, count) in self.children {
            let printed = String::from_utf8(child.wait_with_output()?.stdout)?;
            let bad: Vec<&str> = printed
                .lines()
                .filter(|line| line.starts_with("error"))
                .collect();
            let answers = printed.lines().count();
            ensure!(
                answers == count && bad.is_empty(),
                "{what}: {answers} of {count}, {bad:?}"
            );
        }
        Ok(())
    }
}

fn served(rig: &Rig, lan: &Lan) -> Result<()> {
    write(rig, &json!({"type": "NodePort"}), &[0, 1], true)?;
    for (_, _, node, ..) in FAMILIES {
        all_of(rig, lan, ("tcp", node, 30001), &["b0", "b1", "far"], node)?;
    }
    let good = |line: &str| !line.starts_with("error");
    rig.await_answers(&rig.node.netns, ("tcp", "10.96.0.1", 80), good)
}

/// Killed under load and started again: not one request fails, and while there is no daemon new ones are served.
#[test]
fn a_killed_daemon_costs_nobody_anything() -> Result<()> {
    let (mut rig, lan) = rig(&[])?;
    served(&rig, &lan)?;
    let load = Load::start(&rig, &lan)?;
    for _ in 0..3 {
        rig.node.kill_berthd()?;
        let answers = rig.talk_bare(&lan.client, "tcp", NODE_V4, 30001, 20)?;
        ensure!(
            !answers.iter().any(|line| line.starts_with("error")),
            "{answers:?}"
        );
        rig.start()?;
    }
    load.finish()?;
    end(rig, lan)
}

/// The tables of an earlier version are taken over under load. The earlier version is this one's own, pinned under
/// another number.
#[test]
fn an_earlier_version_is_taken_over_under_load() -> Result<()> {
    let (mut rig, lan) = rig(&[])?;
    served(&rig, &lan)?;
    let own = format!("v{}", rig.ask("status")?["abiVersion"]);
    let load = Load::start(&rig, &lan)?;
    for _ in 0..2 {
        rig.node.kill_berthd()?;
        fs::rename(rig.bpf_dir().join(&own), rig.bpf_dir().join("v1"))?;
        rig.start()?;
        ensure!(
            rig.bpf_dir().join(&own).join("maps/FLOWS").exists(),
            "not taken over"
        );
        ensure!(
            !rig.bpf_dir().join("v1").exists(),
            "the earlier version is left"
        );
    }
    load.finish()?;
    end(rig, lan)
}

/// A later version is refused, and nothing of it changed.
#[test]
fn a_later_version_is_refused() -> Result<()> {
    let (mut rig, lan) = rig(&[])?;
    served(&rig, &lan)?;
    let own = format!("v{}", rig.ask("status")?["abiVersion"]);
    rig.node.kill_berthd()?;
    let later = rig.bpf_dir().join("v999");
    fs::rename(rig.bpf_dir().join(&own), &later)?;
    let mut berthd = rig.node.netns.command(tests::binaries::berthd()?);
    let services = format!("dir:{}", rig.manifests.path().display());
    let output = berthd
        .args([
            "--services",
            &services,
            "--healthz",
            "none",
            "--metrics",
            "none",
            "--cgroup",
            "none",
        ])
        .arg("--bpf-dir")
        .arg(rig.bpf_dir())
        .arg("--state-dir")
        .arg(rig.node.scratch().join("other"))
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        !output.status.success() && said.contains("v999: pins of version 999"),
        "{said}"
    );
    ensure!(!rig.bpf_dir().join(&own).exists(), "pins were made");
    let answers = rig.talk_bare(&lan.client, "tcp", NODE_V4, 30001, 20)?;
    ensure!(
        !answers.iter().any(|line| line.starts_with("error")),
        "{answers:?}"
    );
    fs::rename(later, rig.bpf_dir().join(&own))?;
    rig.start()?;
    end(rig, lan)
}
