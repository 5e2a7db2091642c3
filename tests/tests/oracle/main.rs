//! berth against the real kube-proxy: the same objects, the same questions, the same answers.
//!
//! Two stages of the same shape run side by side, one with berthd over manifests, one with kube-proxy (nftables) over a
//! real API server. Every scenario is played on both; what was seen is compared fact by fact. Where they differ,
//! `differences.rs` has to say so and why ours is right; anything else fails, and so does a difference that is not
//! there any more. Run by `make test-oracle`, with words of scenarios' names to play those alone.

mod api;
mod differences;
mod facts;
#[path = "../services/lan.rs"]
#[expect(
    dead_code,
    reason = "it is the other suite's, and this one needs no XDP"
)]
mod lan;
#[path = "../services/rig.rs"]
#[expect(
    dead_code,
    reason = "shared with the suite of Services, which uses all of it"
)]
mod rig;
mod scenarios;
mod stage;
mod table;

use std::process::ExitCode;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};

use api::Api;
use facts::{Notes, Web};
use scenarios::{ALL, Scenario};
use stage::Stage;
use tests::diagnosis;

/// Of the first scenario's Service: the addresses before are the API server's own.
const FIRST: u8 = 10;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let begin = Instant::now();
    let words: Vec<String> = std::env::args().skip(1).collect();
    let is_wanted = |scenario: &Scenario| {
        words.is_empty()
            || words
                .iter()
                .any(|word| scenario.name.contains(word.as_str()))
    };
    let numbers: Vec<Web> = (FIRST..).map(Web).take(ALL.len()).collect();
    let scenarios: Vec<(&Scenario, Web)> = ALL
        .iter()
        .zip(numbers)
        .filter(|(s, _)| is_wanted(s))
        .collect();
    ensure!(!scenarios.is_empty(), "no scenario is called {words:?}");
    let api = Api::start()?;
    eprintln!(
        "the API server is ready after {} s",
        begin.elapsed().as_secs()
    );
    // Side by side: most of the time is spent waiting for answers that do not come.
    let (kube, berth) = thread::scope(|scope| {
        let kube = scope.spawn(|| quietly(|| play(Stage::kube(&api)?, &scenarios)));
        let berth = scope.spawn(|| quietly(|| play(Stage::berth()?, &scenarios)));
        let done = |name: &str, stage: thread::ScopedJoinHandle<Result<Vec<Notes>>>| {
            let ended = stage.join().map_err(|_| anyhow!("{name} panicked"))?;
            ended.with_context(|| format!("the stage of {name}"))
        };
        Ok::<_, anyhow::Error>((done("kube-proxy", kube)?, done("berth", berth)?))
    })?;
    drop(api);
    let played: Vec<&Scenario> = scenarios.iter().map(|(scenario, _)| *scenario).collect();
    let table = table::compare(&played, &kube, &berth);
    let path = table.write()?;
    println!("{table}");
    println!(
        "in {} s; written to {}",
        begin.elapsed().as_secs(),
        path.display()
    );
    let left = tests::leftovers::of_this_process();
    ensure!(left.is_empty(), "left behind: {left:#?}");
    table.verdict()
}

/// Says what fixtures have to say only about what failed.
fn quietly<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    let (outcome, said) = diagnosis::collect(work);
    if outcome.is_err() {
        eprintln!("{}", said.join("\n"));
    }
    outcome
}

/// Plays every scenario on a stage; one that cannot be played to its end has its error among its facts.
fn play(stage: Stage, scenarios: &[(&Scenario, Web)]) -> Result<Vec<Notes>> {
    let proxy = if stage.is_berth() {
        "berth"
    } else {
        "kube-proxy"
    };
    let mut all = Vec::new();
    for (scenario, web) in scenarios {
        let begin = Instant::now();
        let mut notes = Notes::default();
        let played = (scenario.run)(&stage, *web, &mut notes);
        if let Err(error) = played.and_then(|()| stage.apply(&[])) {
            notes.note("played to its end", format!("error: {error:#}"));
        }
        eprintln!(
            "{proxy}: {} in {:.1} s",
            scenario.name,
            begin.elapsed().as_secs_f32()
        );
        all.push(notes);
    }
    stage.end()?;
    Ok(all)
}
