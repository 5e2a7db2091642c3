//! Which port a client's packets get with the node's address.

use abi::Node;

/// How many ports are tried before the node is said to have none left: with half of them taken,
/// one try in four thousand million finds none.
pub const TRIES: u32 = 32;

/// The port to try, in host byte order: the tries of a client go through the range in steps of
/// its own, so that two whose first ports collide do not collide again. None without any.
#[inline(always)]
pub fn candidate(node: &Node, hash: u32, attempt: u32) -> Option<u16> {
    let count = u32::from(node.port_count);
    if count == 0 {
        return None;
    }
    let step = (hash >> 16) | 1;
    let offset = hash.wrapping_add(attempt.wrapping_mul(step)) % count;
    Some(node.first_port.wrapping_add(offset as u16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_in_the_range_and_differ() {
        let node = Node {
            first_port: 1024,
            port_count: 28_976,
            ..Node::default()
        };
        for hash in [0, 1, 0xdead_beef, u32::MAX, 0x1234_5678] {
            let mut seen = [0_u16; TRIES as usize];
            for attempt in 0..TRIES {
                let port = candidate(&node, hash, attempt).expect("there are ports");
                assert!((1024..30_000).contains(&port), "{port}");
                assert!(!seen[..attempt as usize].contains(&port), "{hash:x}");
                seen[attempt as usize] = port;
            }
        }
        assert_eq!(candidate(&Node::default(), 1, 0), None);
        let one = Node {
            first_port: 65_535,
            port_count: 1,
            ..Node::default()
        };
        assert_eq!(candidate(&one, 77, 9), Some(65_535));
    }
}
