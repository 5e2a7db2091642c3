//! Runs scenarios: each once for every datapath and strategy that exists in the rig, named
//! `scenario::datapath::strategy`, with libtest-mimic's options and closing line.
//!
//! A suite with `harness = false` calls [`Scenarios::run`] at the end of its `main`.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::ovs::Datapath;
use crate::rig::{Rig, Strategy};
use crate::{diagnosis, leftovers};

/// After which a trial counts as hung (stretched in the VM): a guard for the whole run, no measure of speed.
const HUNG: Duration = Duration::from_secs(240);

/// Trials that run at once: they wait for daemons more than they compute.
const PARALLEL: usize = 4;

/// The same in the VM, where they compute more than they wait.
const PARALLEL_IN_VM: usize = 2;

/// What a scenario is run for.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The machine.
    pub rig: Rig,
    /// The datapath of the bridge.
    pub datapath: Datapath,
    /// How the pod is attached.
    pub strategy: Strategy,
}

/// The scenarios of a suite.
#[derive(Default)]
pub struct Scenarios {
    trials: Vec<Trial>,
    parallel: Option<usize>,
}

impl Scenarios {
    /// An empty suite.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a scenario for every datapath and strategy of the rig.
    pub fn each<F>(self, name: &str, scenario: F) -> Self
    where
        F: Fn(Case) -> Result<()> + Send + Sync + 'static,
    {
        self.some(name, |_| true, scenario)
    }

    /// Adds a scenario for those cases of the rig that `chosen` picks.
    pub fn some<F>(mut self, name: &str, chosen: impl Fn(Case) -> bool, scenario: F) -> Self
    where
        F: Fn(Case) -> Result<()> + Send + Sync + 'static,
    {
        let scenario = Arc::new(scenario);
        for case in cases(Rig::current())
            .into_iter()
            .filter(|case| chosen(*case))
        {
            let scenario = Arc::clone(&scenario);
            let name = format!("{name}::{}::{}", case.datapath, case.strategy);
            self.trials.push(trial(name, move || scenario(case)));
        }
        self
    }

    /// Adds a scenario that knows neither datapath nor strategy.
    pub fn once<F>(mut self, name: &str, scenario: F) -> Self
    where
        F: Fn() -> Result<()> + Send + Sync + 'static,
    {
        self.trials.push(trial(name.to_owned(), scenario));
        self
    }

    /// With another number of trials at once, where `--test-threads` does not say.
    pub fn parallel(mut self, trials: usize) -> Self {
        self.parallel = Some(trials);
        self
    }

    /// Runs what the command line asks for, then looks for what was left behind; fails if there is any.
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        let parallel = if Rig::current().is_vm() {
            PARALLEL_IN_VM
        } else {
            PARALLEL
        };
        arguments.test_threads = arguments.test_threads.or(self.parallel).or(Some(parallel));
        let listing = arguments.list;
        let conclusion = libtest_mimic::run(&arguments, self.trials);
        if listing {
            return ExitCode::SUCCESS;
        }
        let left = leftovers::of_this_process();
        if !left.is_empty() {
            eprintln!("the suite left behind: {left:#?}");
            return ExitCode::FAILURE;
        }
        conclusion.exit_code()
    }
}

/// All cases of a rig.
fn cases(rig: Rig) -> Vec<Case> {
    let strategies = |datapath: &Datapath| {
        let datapath = *datapath;
        rig.strategies(datapath).iter().map(move |strategy| Case {
            rig,
            datapath,
            strategy: *strategy,
        })
    };
    rig.datapaths().iter().flat_map(strategies).collect()
}

/// A trial that fails when its scenario does, panics or hangs; then it shows what the fixtures noted.
fn trial(name: String, scenario: impl Fn() -> Result<()> + Send + 'static) -> Trial {
    let shown = name.clone();
    Trial::test(name, move || {
        let (report, outcome) = channel();
        thread::spawn(move || {
            let run = || std::panic::catch_unwind(std::panic::AssertUnwindSafe(&scenario));
            report.send(diagnosis::collect(run)).ok();
        });
        let limit = HUNG * Rig::patience();
        let (ended, notes) = match outcome.recv_timeout(limit) {
            Ok(outcome) => outcome,
            Err(RecvTimeoutError::Timeout) => {
                return Err(format!("hangs: no end after {} s", limit.as_secs()).into());
            }
            Err(RecvTimeoutError::Disconnected) => return Err("ended without an outcome".into()),
        };
        let message = match ended {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => format!("{error:?}"),
            Err(panic) => panic_text(&*panic),
        };
        // The details come at the end of the run, which may be an hour away.
        let reasons = message
            .lines()
            .take_while(|line| !line.starts_with("Stack"));
        eprintln!("{shown}: {}", reasons.collect::<Vec<_>>().join(" "));
        Err(Failed::from(format!("{message}\n{}", notes.join("\n"))))
    })
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panicked".to_owned())
}
