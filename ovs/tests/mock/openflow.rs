//! An OpenFlow peer that interrupts, splits, refuses and breaks off.
use std::io::Read;

use ovs::openflow::{Error, OpenFlow, PortConfig};

use crate::peer::{MockServer, Wire};

const HELLO: u8 = 0;
const ECHO_REQUEST: u8 = 2;
const ECHO_REPLY: u8 = 3;
const STATS_REQUEST: u8 = 16;
const STATS_REPLY: u8 = 17;

fn message(kind: u8, transaction: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![1, kind];
    bytes.extend(u16::try_from(8 + body.len()).unwrap().to_be_bytes());
    bytes.extend(transaction.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// Kind, transaction and body of the client's next message.
fn receive(wire: &mut Wire) -> Option<(u8, u32, Vec<u8>)> {
    let mut header = [0; 8];
    wire.stream.read_exact(&mut header).ok()?;
    let length = u16::from_be_bytes([header[2], header[3]]);
    let mut body = vec![0; usize::from(length) - 8];
    wire.stream.read_exact(&mut body).ok()?;
    Some((
        header[1],
        u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
        body,
    ))
}

fn port(number: u16) -> Vec<u8> {
    let mut bytes = number.to_be_bytes().to_vec();
    bytes.extend([2, 0, 0, 0, 0, 1]);
    let mut name = format!("in{number}").into_bytes();
    name.resize(16, 0);
    bytes.extend(name);
    bytes.extend([0; 24]);
    bytes
}

fn descriptions(ports: std::ops::Range<u16>, more: bool) -> Vec<u8> {
    let mut body = vec![0, 13, 0, u8::from(more)];
    body.extend(ports.flat_map(port));
    body
}

/// Answers the hello, with a higher version as a bridge does that speaks more than 1.0.
fn greet(wire: &mut Wire) {
    let (kind, transaction, _) = receive(wire).unwrap();
    assert_eq!(kind, HELLO);
    let mut hello = message(HELLO, transaction, &[]);
    hello[0] = 6;
    wire.say(hello);
}

#[tokio::test]
async fn more_ports_than_one_message_holds_with_others_between() {
    let server = MockServer::named("br0.mgmt", |_, wire| {
        greet(wire);
        let (kind, transaction, body) = receive(wire).unwrap();
        assert_eq!((kind, body), (STATS_REQUEST, vec![0, 13, 0, 0]));
        wire.say(message(ECHO_REQUEST, 99, b"ping"));
        wire.say(message(12, 0, &[0; 56]));
        wire.say(message(
            STATS_REPLY,
            transaction,
            &descriptions(1..1001, true),
        ));
        wire.say(message(
            STATS_REPLY,
            transaction.wrapping_add(7),
            &descriptions(5000..5001, false),
        ));
        for byte in message(STATS_REPLY, transaction, &descriptions(1001..2001, false)) {
            wire.say([byte]);
        }
        assert_eq!(receive(wire), Some((ECHO_REPLY, 99, b"ping".to_vec())));
        receive(wire);
    });
    let mut bridge = OpenFlow::connect(server.directory(), "br0").await.unwrap();
    let ports = bridge.ports().await.unwrap();
    assert_eq!(ports.len(), 2000);
    assert_eq!(
        (ports[1999].number, ports[1999].name.as_str()),
        (2000, "in2000")
    );
}

#[tokio::test]
async fn a_refused_change_is_an_error_with_its_type_and_code() {
    let server = MockServer::named("br0.mgmt", |_, wire| {
        greet(wire);
        let (_, transaction, _) = receive(wire).unwrap();
        wire.say(message(
            STATS_REPLY,
            transaction,
            &descriptions(1..2, false),
        ));
        let (_, transaction, _) = receive(wire).unwrap();
        wire.say(message(1, transaction, &[0, 4, 0, 1, 1, 15, 0, 32]));
        receive(wire);
        receive(wire);
    });
    let mut bridge = OpenFlow::connect(server.directory(), "br0").await.unwrap();
    match bridge
        .set_config("in1", PortConfig::NO_FLOOD, PortConfig::NO_FLOOD)
        .await
    {
        Err(Error::Refused { kind, code, .. }) => assert_eq!((kind, code), (4, 1)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn nonsense_and_a_sudden_end_are_named() {
    for (bytes, text) in [
        (
            message(STATS_REPLY, 1, &[])[..8].to_vec(),
            "first message is of type 17, expected hello",
        ),
        (
            vec![1, HELLO, 0, 4, 0, 0, 0, 0],
            "message of type 0 has length 4, less than its header",
        ),
        (
            b"HTTP/1.0".to_vec(),
            "message of type 84 in OpenFlow version 72, expected 1",
        ),
        (vec![1, HELLO, 0], "failed: early eof"),
    ] {
        let server = MockServer::named("br0.mgmt", move |_, wire| {
            receive(wire);
            wire.say(&bytes);
        });
        let error = OpenFlow::connect(server.directory(), "br0")
            .await
            .unwrap_err();
        assert!(error.to_string().contains(text), "{error}");
    }
}
