//! What the kernel's verifier has to go through for each program, so that a change which multiplies it is seen when it
//! is made: the kernel refuses a program at a million instructions, and an older one sooner reaches them.

use std::collections::BTreeMap;

use abi::names;
use anyhow::{Context, Result, ensure};
use aya::programs::{CgroupSockAddr, ProgramInfo, SchedClassifier, Xdp};
use aya::{Ebpf, EbpfLoader};

static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("BERTH_EBPF_OBJECT"));

/// What it was when somebody last looked.
const KNOWN: &str = include_str!("verifier.txt");

/// Set, counts are printed and not compared.
const RENEW: &str = "BERTH_VERIFIER_RENEW";

/// By how many percent a program may exceed what is known. Counts of one kernel and one build repeat exactly. A line of
/// code more costs a few percent, on each path that leads to it; a loop that is gone through anew for each state, or
/// states that are not found equal any more, cost a multiple. This is between the two, and far from the kernel's limit.
const TOLERANCE: u64 = 25;

/// The kernel's own limit.
const LIMIT: u64 = 1_000_000;

/// A kernel's release, in its first two numbers.
type Release = (u32, u32);

type Counts = BTreeMap<String, u64>;

fn release(text: &str) -> Result<Release> {
    let mut numbers = text.split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => anyhow::bail!("{text} is no kernel release"),
    }
}

fn known(text: &str) -> Result<BTreeMap<Release, Counts>> {
    let mut known: BTreeMap<Release, Counts> = BTreeMap::new();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    for line in lines.filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let (Some(kernel), Some(program), Some(count)) = (words.next(), words.next(), words.next())
        else {
            anyhow::bail!("{line:?} is not kernel, program, count");
        };
        let counts = known.entry(release(kernel)?).or_default();
        counts.insert(program.to_owned(), count.parse()?);
    }
    Ok(known)
}

/// Loads one program; what its verification took.
fn load(object: &mut Ebpf, name: &str) -> Result<ProgramInfo> {
    let program = object.program_mut(name).context("no such program")?;
    if names::PACKET_PROGRAMS.contains(&name) {
        let program: &mut SchedClassifier = program.try_into()?;
        program.load()?;
        Ok(program.info()?)
    } else if name == names::XDP_PROGRAM {
        let program: &mut Xdp = program.try_into()?;
        program.load()?;
        Ok(program.info()?)
    } else {
        let program: &mut CgroupSockAddr = program.try_into()?;
        program.load()?;
        Ok(program.info()?)
    }
}

/// What the running kernel says, of all programs.
fn counts() -> Result<Counts> {
    let mut object = EbpfLoader::new().load(OBJECT)?;
    let mut named: Vec<String> = object.programs().map(|(name, _)| name.to_owned()).collect();
    named.sort_unstable();
    let mut all: Vec<&str> = names::PACKET_PROGRAMS.to_vec();
    all.push(names::XDP_PROGRAM);
    all.extend(names::SOCKET_PROGRAMS);
    all.sort_unstable();
    ensure!(named == all, "the object has {named:?}, not {all:?}");
    all.into_iter()
        .map(|name| {
            let info = load(&mut object, name).with_context(|| format!("load {name}"))?;
            let count = info.verified_instruction_count();
            // Kernels before 5.16 do not tell.
            Ok((name.to_owned(), count.map_or(0, u64::from)))
        })
        .collect()
}

#[test]
fn programs_are_verified_with_no_more_effort_than_known() -> Result<()> {
    let running = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let running = release(running.trim())?;
    let counts = counts()?;
    for (program, count) in &counts {
        println!("{}.{} {program} {count}", running.0, running.1);
    }
    if std::env::var_os(RENEW).is_some() {
        return Ok(());
    }
    let all = known(KNOWN)?;
    // A kernel that nobody has looked at is held to what one before it needs.
    let before = all.range(..=running).next_back();
    let (kernel, known) = before
        .or(all.first_key_value())
        .context("nothing is known")?;
    for (program, count) in &counts {
        let most = known.get(program).with_context(|| {
            format!(
                "verifier.txt has no {program} for {}.{}",
                kernel.0, kernel.1
            )
        })?;
        let most = most * (100 + TOLERANCE) / 100;
        ensure!(
            *count <= most && *count < LIMIT,
            "{program} takes {count} instructions to verify, {most} at most are expected"
        );
    }
    Ok(())
}

#[test]
fn what_is_known_is_read() {
    let read = known("# head\n\n6.1 one 10\n6.12 one 20\n6.12 two 5\n").unwrap();
    assert_eq!(read[&(6, 1)]["one"], 10);
    assert_eq!(read[&(6, 12)].len(), 2);
    assert!(known("6.1 one").is_err());
    assert!(known("six one 1").is_err());
    assert_eq!(release("6.12.43+deb13-amd64").unwrap(), (6, 12));
    assert_eq!(release("6.1-rc1").unwrap(), (6, 1));
    // Every kernel that is known has every program.
    let all = known(KNOWN).unwrap();
    let programs = |kernel| -> Vec<&String> { all[kernel].keys().collect() };
    for kernel in all.keys() {
        assert_eq!(programs(kernel), programs(all.keys().next().unwrap()));
    }
}
