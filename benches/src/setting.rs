//! The setting that a published number carries: machine, kernel, versions, load.

use std::fs;
use std::path::Path;
use std::process::Command;

use tests::rig::Rig;

use crate::programs::Programs;

/// Name and value of each fact about this machine that a figure depends on.
///
/// The file systems of the IPAM stores and of the records decide what an fsync costs.
pub fn machine(programs: &Programs) -> Vec<(String, String)> {
    let uname = nix::sys::utsname::uname();
    let kernel = uname
        .map(|u| {
            format!(
                "{} {}",
                u.sysname().to_string_lossy(),
                u.release().to_string_lossy()
            )
        })
        .unwrap_or_else(|_| "unknown".into());
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    vec![
        ("kernel".into(), kernel),
        ("CPU".into(), format!("{cpus} × {}", cpu_model())),
        ("rig".into(), Rig::current().to_string()),
        ("load at the start".into(), load()),
        ("leases on".into(), file_system(programs.stores())),
        ("records on".into(), file_system(programs.state())),
        ("MTU".into(), "1500".into()),
    ]
}

/// The first line that a program prints for a version option, or what kept it from it.
pub fn version(program: &Path, option: &str) -> String {
    match Command::new(program).arg(option).output() {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.lines().next().unwrap_or("prints nothing").to_owned()
        }
        Err(error) => format!("{}: {error}", program.display()),
    }
}

/// The load average of the last minute: figures of a busy machine are worth less.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .unwrap_or("unknown")
        .to_owned()
}

fn cpu_model() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1));
    model.unwrap_or("unknown").trim().to_owned()
}

/// The kind of the file system with the longest mount point above `path`.
pub fn file_system(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((Path::new(fields.next()?), fields.next()?))
        })
        .filter(|(point, _)| path.starts_with(point))
        .max_by_key(|(point, _)| point.components().count())
        .map_or_else(|| "unknown".into(), |(_, kind)| kind.to_owned())
}
