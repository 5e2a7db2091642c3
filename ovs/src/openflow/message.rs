//! The few OpenFlow 1.0 messages that berth speaks, as bytes.
//!
//! Port descriptions are asked for by the statistics request that later versions introduced and OVS answers in
//! 1.0 too: the features reply ends at 64 KiB, which is 1364 ports.
use super::{PortConfig, PortDescription};
use crate::mac::Mac;

/// Bytes of the header before every body.
pub(super) const HEADER: usize = 8;

pub(super) const HELLO: u8 = 0;
pub(super) const ERROR: u8 = 1;
pub(super) const ECHO_REQUEST: u8 = 2;
pub(super) const ECHO_REPLY: u8 = 3;
pub(super) const PORT_MOD: u8 = 15;
pub(super) const STATS_REQUEST: u8 = 16;
pub(super) const STATS_REPLY: u8 = 17;
pub(super) const BARRIER_REQUEST: u8 = 18;
pub(super) const BARRIER_REPLY: u8 = 19;

const VERSION: u8 = 1;
const PORT_DESC: u16 = 13;
const MORE: u16 = 1;

/// Bytes of one port description (`ofp_phy_port`).
const PORT: usize = 48;

/// One message as received.
#[derive(Debug)]
pub(super) struct Message {
    pub kind: u8,
    pub transaction: u32,
    pub body: Vec<u8>,
}

pub(super) fn encode(kind: u8, transaction: u32, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(HEADER + body.len()).expect("an OpenFlow message is below 64 KiB");
    let mut bytes = Vec::with_capacity(usize::from(length));
    bytes.extend([VERSION, kind]);
    bytes.extend(length.to_be_bytes());
    bytes.extend(transaction.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// A message without its body yet, and the body's length.
pub(super) fn parse_header(header: [u8; HEADER]) -> Result<(Message, usize), String> {
    let [version, kind, high, low, transaction @ ..] = header;
    // the peer's hello has the highest version it speaks; all that follows has the one we share
    if version != VERSION && kind != HELLO {
        return Err(format!(
            "message of type {kind} in OpenFlow version {version}, expected {VERSION}"
        ));
    }
    let length = usize::from(u16::from_be_bytes([high, low]));
    let body = length.checked_sub(HEADER).ok_or_else(|| {
        format!("message of type {kind} has length {length}, less than its header")
    })?;
    let transaction = u32::from_be_bytes(transaction);
    Ok((
        Message {
            kind,
            transaction,
            body: Vec::new(),
        },
        body,
    ))
}

/// Body of the request for all port descriptions.
pub(super) fn port_descriptions() -> Vec<u8> {
    let [high, low] = PORT_DESC.to_be_bytes();
    vec![high, low, 0, 0]
}

/// Ports of a reply, and whether another reply follows.
pub(super) fn parse_port_descriptions(body: &[u8]) -> Result<(Vec<PortDescription>, bool), String> {
    let (head, ports) = body
        .split_first_chunk::<4>()
        .ok_or_else(|| format!("statistics reply of {} bytes", body.len()))?;
    let [kind, flags] = [[head[0], head[1]], [head[2], head[3]]].map(u16::from_be_bytes);
    if kind != PORT_DESC {
        return Err(format!(
            "statistics reply of type {kind}, expected {PORT_DESC}"
        ));
    }
    let (ports, rest) = ports.as_chunks::<PORT>();
    if !rest.is_empty() {
        return Err(format!(
            "port descriptions end in {} bytes of {PORT}",
            rest.len()
        ));
    }
    Ok((ports.iter().map(parse_port).collect(), flags & MORE != 0))
}

fn parse_port(bytes: &[u8; PORT]) -> PortDescription {
    let [n0, n1, m0, m1, m2, m3, m4, m5, rest @ ..] = bytes;
    let (name, rest) = rest.split_at(16);
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let word = |at: usize| u32::from_be_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]]);
    PortDescription {
        number: u16::from_be_bytes([*n0, *n1]),
        name: String::from_utf8_lossy(name).into_owned(),
        mac: Mac([*m0, *m1, *m2, *m3, *m4, *m5]),
        config: PortConfig(word(0)),
        state: word(4),
    }
}

/// Body of a change of a port's flags. The MAC is a safeguard of the protocol: it must be the port's own.
pub(super) fn port_mod(port: &PortDescription, config: PortConfig, mask: PortConfig) -> Vec<u8> {
    let mut body = Vec::with_capacity(24);
    body.extend(port.number.to_be_bytes());
    body.extend(port.mac.0);
    body.extend(config.0.to_be_bytes());
    body.extend(mask.0.to_be_bytes());
    // features to advertise (0: leave them), and padding
    body.extend([0; 8]);
    body
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_bytes_are_read_or_refused(header: [u8; HEADER], body in vec(any::<u8>(), 0..200)) {
            if let Ok((message, length)) = parse_header(header) {
                prop_assert!(length + HEADER <= usize::from(u16::MAX));
                prop_assert!(message.body.is_empty());
            }
            let described = [&[0, 13, 0, 0][..], &body].concat();
            match parse_port_descriptions(&described) {
                Ok((ports, _)) => prop_assert_eq!(ports.len() * PORT, body.len()),
                Err(_) => prop_assert_ne!(body.len() % PORT, 0),
            }
            if parse_port_descriptions(&body).is_ok() {
                prop_assert_eq!(&body[..2], &[0, 13]);
            }
        }
    }

    #[test]
    fn port_mod_has_the_layout_of_the_standard() {
        let port = PortDescription {
            number: 0x0102,
            name: "in1".to_owned(),
            mac: Mac([1, 2, 3, 4, 5, 6]),
            config: PortConfig::default(),
            state: 0,
        };
        let body = port_mod(&port, PortConfig::NO_FLOOD, PortConfig::NO_FLOOD);
        let bytes = encode(PORT_MOD, 0x0a0b_0c0d, &body);
        assert_eq!(
            bytes,
            [
                1, 15, 0, 32, 0x0a, 0x0b, 0x0c, 0x0d, // header
                1, 2, 1, 2, 3, 4, 5, 6, // number and MAC
                0, 0, 0, 16, 0, 0, 0, 16, // flags and mask
                0, 0, 0, 0, 0, 0, 0, 0,
            ]
        );
    }

    #[test]
    fn descriptions_are_read() {
        let mut body = vec![0, 13, 0, 1];
        body.extend([0xff, 0xfe, 2, 0, 0, 0, 0, 1]);
        body.extend(*b"brt0123456789ab\0");
        body.extend([0, 0, 0, 0x11, 0, 0, 0, 1]);
        body.extend([0; 16]);
        let (ports, more) = parse_port_descriptions(&body).unwrap();
        assert!(more);
        assert_eq!(
            ports,
            [PortDescription {
                number: 0xfffe,
                name: "brt0123456789ab".to_owned(),
                mac: Mac([2, 0, 0, 0, 0, 1]),
                config: PortConfig(0x11),
                state: 1,
            }]
        );
    }

    #[test]
    fn malformed_messages_are_named() {
        assert_eq!(
            parse_header([4, STATS_REPLY, 0, 8, 0, 0, 0, 0]).unwrap_err(),
            "message of type 17 in OpenFlow version 4, expected 1"
        );
        assert_eq!(
            parse_header([1, ERROR, 0, 7, 0, 0, 0, 0]).unwrap_err(),
            "message of type 1 has length 7, less than its header"
        );
        assert_eq!(
            parse_port_descriptions(&[0, 13]).unwrap_err(),
            "statistics reply of 2 bytes"
        );
        assert_eq!(
            parse_port_descriptions(&[0, 4, 0, 0]).unwrap_err(),
            "statistics reply of type 4, expected 13"
        );
        let mut cut = vec![0, 13, 0, 0];
        cut.extend([0; 47]);
        assert_eq!(
            parse_port_descriptions(&cut).unwrap_err(),
            "port descriptions end in 47 bytes of 48"
        );
    }
}
