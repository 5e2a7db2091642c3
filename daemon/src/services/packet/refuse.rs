//! Rules that refuse what the programs have marked: the kernel itself makes the RST or the ICMP
//! error, as it does for kube-proxy's rules.

use std::io::Write;
use std::process::{Command, Stdio};

use abi::REFUSE_MARK;

/// Ours alone, so that it can be replaced as a whole.
const TABLE: &str = "inet berth_services";

/// Where `nft` is looked for after PATH.
const DIRECTORIES: &str = "/usr/sbin:/sbin:/usr/bin:/bin";

/// Puts the rules in place of those an earlier run has made, in one transaction.
///
/// # Errors
/// What `nft` says, or that it is missing.
pub fn install() -> Result<(), String> {
    run(&["-f", "-"], &script())
}

const MISSING: &str = "the program nft is missing";

fn script() -> String {
    let marked = format!("meta mark & {REFUSE_MARK:#x} == {REFUSE_MARK:#x}");
    format!(
        "add table {TABLE}\n\
         delete table {TABLE}\n\
         table {TABLE} {{\n\
         chain refuse {{\n\
         type filter hook prerouting priority raw; policy accept;\n\
         {marked} meta l4proto tcp reject with tcp reset\n\
         {marked} reject with icmpx type port-unreachable\n\
         }}\n\
         }}\n"
    )
}

fn run(arguments: &[&str], input: &str) -> Result<(), String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let spawned = Command::new("nft")
        .args(arguments)
        .env("LC_ALL", "C")
        .env("PATH", format!("{path}:{DIRECTORIES}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{MISSING}: what should be refused is dropped"));
        }
        Err(error) => return Err(format!("nft: {error}")),
    };
    if let Some(mut stdin) = child.stdin.take() {
        // What it does not read, it complains of.
        stdin.write_all(input.as_bytes()).ok();
    }
    let output = child
        .wait_with_output()
        .map_err(|error| format!("nft: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().next().unwrap_or("no message");
    Err(format!("nft: {first}"))
}
