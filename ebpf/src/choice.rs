//! What becomes of a client that asks for a Service.

use abi::Service;

/// Where a client is, which decides what set of backends it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// On this node or in the cluster.
    Inside,
    /// Outside.
    Outside,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// One of `count` backends of a set.
    Of {
        /// The set.
        set: u32,
        /// Its size, never 0.
        count: u32,
    },
    /// Refuse it: TCP RST, ICMP port unreachable, ECONNREFUSED.
    Reject,
    /// No answer.
    Drop,
    /// None of our business: the node itself may listen there.
    Pass,
}

/// The choice a Service leaves to a client.
#[inline(always)]
pub fn choice(service: &Service, side: Side) -> Choice {
    let (set, count, reject, drop) = match side {
        Side::Inside => (
            service.inside_set,
            service.inside_count,
            Service::INSIDE_REJECT,
            Service::INSIDE_DROP,
        ),
        Side::Outside => (
            service.outside_set,
            service.outside_count,
            Service::OUTSIDE_REJECT,
            Service::OUTSIDE_DROP,
        ),
    };
    if count != 0 {
        Choice::Of { set, count }
    } else if service.flags & reject != 0 {
        Choice::Reject
    } else if service.flags & drop != 0 {
        Choice::Drop
    } else {
        Choice::Pass
    }
}

/// A slot of a set of `count` backends, from a random number of 32 bits. The product is
/// spread more evenly than a remainder, and costs no division.
#[inline(always)]
pub fn slot(random: u32, count: u32) -> u32 {
    ((u64::from(random) * u64::from(count)) >> 32) as u32
}

/// Whether a client that made its last connection at `last_ns` still belongs to its
/// backend at `now_ns`.
#[inline(always)]
pub fn stays(last_ns: u64, now_ns: u64, seconds: u32) -> bool {
    now_ns.wrapping_sub(last_ns) < u64::from(seconds) * 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service() -> Service {
        Service {
            port_id: 1,
            inside_set: 2,
            inside_count: 3,
            outside_set: 4,
            outside_count: 0,
            flags: Service::INSIDE_REJECT | Service::OUTSIDE_DROP,
            ..Service::default()
        }
    }

    #[test]
    fn each_side_has_its_own_set_and_verdict() {
        let mut it = service();
        assert_eq!(choice(&it, Side::Inside), Choice::Of { set: 2, count: 3 });
        assert_eq!(choice(&it, Side::Outside), Choice::Drop);
        it.inside_count = 0;
        assert_eq!(choice(&it, Side::Inside), Choice::Reject);
        it.outside_count = 7;
        assert_eq!(choice(&it, Side::Outside), Choice::Of { set: 4, count: 7 });
        it.flags = 0;
        assert_eq!(choice(&it, Side::Inside), Choice::Pass);
    }

    #[test]
    fn every_slot_is_chosen_and_none_beyond() {
        for count in [1, 2, 3, 7, 100_000] {
            assert_eq!(slot(0, count), 0);
            assert_eq!(slot(u32::MAX, count), count - 1);
        }
        let mut seen = [0_u32; 3];
        for n in 0..3000_u32 {
            seen[slot(n.wrapping_mul(1_431_655), 3) as usize] += 1;
        }
        assert!(
            seen.iter().all(|times| (900..1100).contains(times)),
            "{seen:?}"
        );
    }

    #[test]
    fn affinity_ends_with_its_time() {
        let second = 1_000_000_000;
        assert!(stays(5, 5, 1));
        assert!(stays(0, 10 * second - 1, 10));
        assert!(!stays(0, 10 * second, 10));
        assert!(!stays(0, 0, 0));
        assert!(stays(0, 86_400 * second - 1, 86_400), "the API's longest");
    }
}
