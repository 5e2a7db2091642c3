//! Which ports clients' packets get with the node's address: pure.

use std::ops::RangeInclusive;

/// Ports below are for services with a name.
const FIRST: u16 = 1024;

/// The API's default range for NodePorts; one outside it is seen by the programs themselves.
const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// The widest range of ports that neither NodePorts nor the node's own connections are from,
/// which `local` is; so the kernel's own translation, which keeps the ports of those, does not
/// meet ours. First port and how many.
pub fn range(local: RangeInclusive<u16>) -> (u16, u16) {
    let mut taken = [NODE_PORTS, local];
    taken.sort_by_key(|range| *range.start());
    let mut best = (FIRST, 0);
    let mut next = u32::from(FIRST);
    let ends = taken
        .iter()
        .map(|range| (u32::from(*range.start()), u32::from(*range.end()) + 1));
    for (start, end) in ends.chain([(65_536, 65_536)]) {
        let free = start.saturating_sub(next);
        if free > u32::from(best.1) {
            let first = u16::try_from(next).unwrap_or(u16::MAX);
            best = (first, u16::try_from(free).unwrap_or(u16::MAX));
        }
        next = next.max(end);
    }
    best
}

/// The kernel's range for connections of the node itself, as `ip_local_port_range` shows it.
pub fn parse(text: &str) -> Option<RangeInclusive<u16>> {
    let mut words = text.split_whitespace().map(str::parse);
    match (words.next(), words.next(), words.next()) {
        (Some(Ok(first)), Some(Ok(last)), None) => Some(first..=last),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_gap_is_taken() {
        let rows = [
            (32_768..=60_999, (1024, 28_976)),
            (1024..=65_535, (1024, 0)),
            (15_000..=65_535, (1024, 13_976)),
            (1024..=29_999, (32_768, 32_768)),
            (10_000..=20_000, (32_768, 32_768)),
            (1..=1000, (32_768, 32_768)),
            (29_000..=31_000, (32_768, 32_768)),
        ];
        for (local, wanted) in rows {
            assert_eq!(range(local.clone()), wanted, "{local:?}");
        }
    }

    #[test]
    fn the_kernel_writes_two_numbers() {
        assert_eq!(parse("32768\t60999\n"), Some(32_768..=60_999));
        for bad in ["", "1", "1 2 3", "a b", "1 70000"] {
            assert_eq!(parse(bad), None, "{bad:?}");
        }
    }
}
