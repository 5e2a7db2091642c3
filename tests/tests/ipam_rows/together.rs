//! Killed programs, and two programs on one store.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::json;

use crate::macros::same;
use crate::plugin::{Plugin, Store};

/// A real SIGKILL at every single system call, the first to the last, by strace.
pub fn killed(plugin: &Plugin, verb: &str) -> Result<()> {
    for call in 1.. {
        let store = Store::new()?;
        let config = store.config(
            "1.0.0",
            json!({"ranges": [[{"subnet": "10.0.0.0/24"}], [{"subnet": "2001:db8::/64"}]]}),
        );
        plugin.add("kept", &config, "")?;
        if verb == "DEL" {
            plugin.add("victim", &config, "")?;
        }
        let inject = format!("inject=all:signal=SIGKILL:when={call}");
        let strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &inject];
        let answer = plugin.wrapped(&strace, verb, "victim", "eth0", &config, "")?;
        let leases = store.leases()?;
        let whole = |(name, contents): (&String, &String)| {
            name == ".berth.tmp" || contents == "kept\r\neth0" || contents == "victim\r\neth0"
        };
        ensure!(leases.iter().all(whole), "call {call}: {leases:?}");
        plugin.del("victim", "eth0", &config)?;
        let left: BTreeSet<_> = store.leases()?.into_values().collect();
        same!(left, BTreeSet::from(["kept\r\neth0".to_owned()]));
        same!(plugin.add("victim", &config, "")?.len(), 2);
        same!(store.leases()?.len(), 4);
        if answer.ended == Some(0) {
            ensure!(
                call > 10,
                "strace killed nothing: it got through at call {call}"
            );
            return Ok(());
        }
        ensure!(answer.ended.is_none(), "call {call}: {answer:?}");
    }
    bail!("no end")
}

/// Upstream's plugin and ours take turns, at random, on one store.
pub fn change_over(ours: &Plugin, peer: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config(
        "1.0.0",
        json!({"ranges": [[{"subnet": "10.0.0.0/27"}], [{"subnet": "2001:db8::/64"}]]}),
    );
    let mut held: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut random = 1u64;
    for step in 0..400 {
        random = random
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let bits = random >> 33;
        let plugin = if bits & 1 == 0 { ours } else { peer };
        let id = format!("pod{}", bits / 8 % 40);
        if let Some(addresses) = held.get(&id) {
            if bits & 6 == 0 {
                plugin
                    .refuse(&id, &config, "")
                    .with_context(|| format!("step {step}, {}", plugin.name))?;
                continue;
            }
            let gone: Vec<_> = addresses.iter().map(|address| host(address)).collect();
            plugin.del(&id, "eth0", &config)?;
            ensure!(
                gone.iter()
                    .all(|address| !store.network().join(address).exists()),
                "step {step}: {gone:?}"
            );
            held.remove(&id);
        } else if held.len() == 29 {
            let message = plugin.refuse(&id, &config, "")?;
            ensure!(
                message.contains("no IP addresses available"),
                "step {step}, {}: {message}",
                plugin.name
            );
        } else {
            let got = plugin
                .add(&id, &config, "")
                .with_context(|| format!("step {step}, {}", plugin.name))?;
            ensure!(
                held.values().flatten().all(|other| !got.contains(other)),
                "step {step}: {got:?} twice"
            );
            held.insert(id, got);
        }
        let expected: BTreeMap<_, _> = held
            .iter()
            .flat_map(|(id, got)| {
                got.iter()
                    .map(move |address| (host(address), format!("{id}\r\neth0")))
            })
            .collect();
        same!(store.leases()?, expected);
    }
    Ok(())
}

/// Eight of each at once, and then each takes back what the other gave.
pub fn both_at_once(ours: &Plugin, peer: &Plugin) -> Result<()> {
    let store = Store::new()?;
    let config = store.config("1.0.0", json!({"subnet": "10.0.0.0/24"}));
    let plugins = [ours, peer];
    let rounds = |worker: usize, act: &dyn Fn(&str) -> Result<()>| {
        (0..10).try_for_each(|round| act(&format!("w{worker}r{round}")))
    };
    let all = |act: &(dyn Fn(usize, &str) -> Result<()> + Sync)| {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..16)
                .map(|worker| scope.spawn(move || rounds(worker, &|id| act(worker, id))))
                .collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().map_err(|_| anyhow!("a worker panicked"))?)
        })
    };
    let got = Mutex::new(Vec::new());
    all(&|worker, id| {
        let added = plugins[worker % 2].add(id, &config, "")?;
        got.lock().map_err(|_| anyhow!("poisoned"))?.extend(added);
        Ok(())
    })?;
    let got = got.into_inner().map_err(|_| anyhow!("poisoned"))?;
    same!(got.len(), 160);
    same!(got.iter().collect::<BTreeSet<_>>().len(), 160);
    same!(store.leases()?.len(), 160);
    all(&|worker, id| plugins[(worker + 1) % 2].del(id, "eth0", &config))?;
    same!(store.leases()?, BTreeMap::new());
    Ok(())
}

fn host(address: &str) -> String {
    Path::new(address)
        .parent()
        .map(|host| host.display().to_string())
        .unwrap_or_default()
}
