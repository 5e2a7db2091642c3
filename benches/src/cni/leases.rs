//! ADD and DEL with more and more leases in the store: does the cost grow with them?

use std::fs;
use std::net::Ipv4Addr;

use anyhow::{Context, Result};
use serde_json::Value;
use tests::netns::Netns;

use crate::contender::Contender;
use crate::interrupt;
use crate::programs::Programs;
use crate::report::{Cell, Table};
use crate::stats::{median, pairwise_ratio};

/// Sizes of the store.
const SIZES: [u32; 4] = [0, 250, 1000, 4000];

type Make = fn(&Programs) -> Result<Contender>;

/// The two IPAM plugins by themselves, and the two plugins that use them.
const CONTENDERS: [Make; 4] = [
    Contender::berth_ipam,
    Contender::host_local,
    Contender::routed,
    Contender::bridge,
];

/// One contender with one size of store; milliseconds, one value a round.
struct Run {
    contender: Contender,
    add: Vec<f64>,
    del: Vec<f64>,
}

/// Two tables, of ADD and of DEL, with `rounds` calls for each size and contender in turn.
///
/// # Errors
/// When a plugin fails or a store cannot be filled.
pub fn tables(programs: &Programs, rounds: usize) -> Result<[Table; 2]> {
    let pod = Netns::new("pod")?;
    let mut field = Vec::new();
    for make in CONTENDERS {
        for size in SIZES {
            let contender = make(programs)?;
            fill(&contender, size)?;
            contender.warm_up(pod.path())?;
            field.push(Run {
                contender,
                add: Vec::new(),
                del: Vec::new(),
            });
        }
    }
    for round in 0..rounds {
        interrupt::check()?;
        for Run {
            contender,
            add,
            del,
        } in &mut field
        {
            let (added, deleted) = contender.inside(|| {
                let container = format!("lease-{round}");
                let added = contender.add(&container, pod.path())?;
                let result: Value = added.result()?;
                Ok((added, contender.del(&container, pod.path(), &result)?))
            })?;
            add.push(added.millis());
            del.push(deleted.millis());
        }
    }
    Ok([
        table("ADD", &field, rounds, |run| &run.add),
        table("DEL", &field, rounds, |run| &run.del),
    ])
}

fn table(verb: &str, field: &[Run], rounds: usize, pick: fn(&Run) -> &[f64]) -> Table {
    let mut table = Table::new(
        format!("{verb} by leases in the store"),
        &["plugin", "0", "250", "1000", "4000", "4000 / 0"],
    )
    .note(format!(
        "{rounds} rounds, all in turn, medians; goal: flat (ratio 1)"
    ));
    for sizes in field.chunks(SIZES.len()) {
        let mut row = vec![Cell::Text(sizes[0].contender.label.clone())];
        row.extend(
            sizes
                .iter()
                .map(|run| Cell::of(Cell::Millis, median(pick(run)))),
        );
        let (empty, full) = (pick(&sizes[0]), pick(&sizes[SIZES.len() - 1]));
        row.push(Cell::of(Cell::Ratio, pairwise_ratio(full, empty)));
        table.row(row);
    }
    table
}

/// Put `size` leases into a contender's store, as host-local would have written them.
fn fill(contender: &Contender, size: u32) -> Result<()> {
    let folder = contender.leases();
    let context = || format!("cannot fill {}", folder.display());
    fs::create_dir_all(&folder).with_context(context)?;
    let first = u32::from(Ipv4Addr::new(10, 99, 0, 2));
    for number in 0..size {
        let address = Ipv4Addr::from(first + number);
        let lease = format!("there-before-{number}\r\neth0");
        fs::write(folder.join(address.to_string()), lease).with_context(context)?;
        fs::write(folder.join("last_reserved_ip.0"), address.to_string()).with_context(context)?;
    }
    Ok(())
}
