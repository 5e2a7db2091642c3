//! What the kernel tells about this process and this host.

use std::path::Path;

/// Resident memory of this process in bytes; 0 where /proc does not tell.
pub fn resident_bytes() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|text| {
            let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
            line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()
        })
        .map_or(0, |kib| kib * 1024)
}

/// The host's name, empty where the kernel's cannot be read as text.
pub fn host_name() -> String {
    nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .unwrap_or_default()
}

/// When the kernel booted, seconds since 1970 by the clock as it is set now.
pub fn boot_time() -> Option<u64> {
    let text = std::fs::read_to_string(Path::new("/proc/stat")).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("btime "))?
        .trim()
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes() > 4096);
    }

    #[test]
    fn the_kernel_booted_before_now() {
        let boot = boot_time().expect("btime");
        assert!(boot > 0 && boot <= crate::clock::now_us() / 1_000_000 + 1);
    }
}
