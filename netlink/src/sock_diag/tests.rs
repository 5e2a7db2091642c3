//! Messages byte by byte, as the kernel's `inet_diag.h` has them.

use super::*;

/// An `inet_diag_msg` of a UDP socket, as a kernel sent it; the queues, the user and the inode are zero.
fn shown(family: u8, state: u8, source: [u8; 16], destination: [u8; 16]) -> Vec<u8> {
    let mut bytes = vec![family, state, 0, 0];
    bytes.extend(5353_u16.to_be_bytes());
    bytes.extend(8080_u16.to_be_bytes());
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(7_u32.to_ne_bytes());
    bytes.extend(0x89ab_cdef_u32.to_ne_bytes());
    bytes.extend(0x0123_4567_u32.to_ne_bytes());
    bytes.extend([0; 20]);
    bytes
}

fn v4(last: u8) -> [u8; 16] {
    let mut address = [0; 16];
    address[..4].copy_from_slice(&[10, 0, 0, last]);
    address
}

fn mapped(last: u8) -> [u8; 16] {
    std::net::Ipv4Addr::new(10, 0, 0, last)
        .to_ipv6_mapped()
        .octets()
}

/// A netlink message of that type around a payload.
fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend([0; 10]);
    bytes.extend(payload);
    bytes
}

fn read(datagram: &[u8]) -> (Vec<InetSocket>, Option<Progress>) {
    let mut sockets = Vec::new();
    let progress = take(datagram, &mut |header| sockets.push(InetSocket::of(header)));
    (sockets, progress)
}

#[test]
fn a_dump_is_read_in_each_family_past_attributes_and_padding() {
    const DIAG: u16 = 20;
    // An attribute of a type that nobody knows, of five bytes, and the padding after it.
    let attribute = [9, 0, 0xee, 0, 1, 2, 3, 4, 5];
    let mut first = shown(2, 1, v4(1), v4(2));
    first.extend(attribute);
    let mut datagram = message(DIAG, &first);
    datagram.extend([0; 3]);
    datagram.extend(message(DIAG, &shown(10, 1, mapped(1), mapped(2))));
    datagram.extend(message(DIAG, &shown(10, 7, [0; 16], [0; 16])));
    let (sockets, progress) = read(&datagram);
    assert_eq!(progress, Some(Progress::More));
    let peers: Vec<_> = sockets.iter().map(InetSocket::peer).collect();
    let peer = Some("10.0.0.2:8080".parse().unwrap());
    assert_eq!(peers, [peer, peer, None]);
    assert!(
        sockets
            .iter()
            .all(|socket| socket.cookie() == 0x0123_4567_89ab_cdef)
    );
}

#[test]
fn the_end_of_a_dump_and_a_refusal_are_told_apart() {
    let done = message(3, &0_i32.to_ne_bytes());
    assert_eq!(read(&done).1, Some(Progress::End(None)));
    let error = |code: i32| {
        let mut payload = code.to_ne_bytes().to_vec();
        payload.extend([0; 16]);
        read(&message(2, &payload)).1
    };
    assert_eq!(error(0), Some(Progress::End(None)));
    let refused = Some(Progress::End(Some(Errno::EOPNOTSUPP)));
    assert_eq!(error(-95), refused);
}

#[test]
fn what_is_cut_short_is_no_answer() {
    let whole = message(20, &shown(2, 1, v4(1), v4(2)));
    assert_eq!(read(&whole[..60]).1, None);
    assert_eq!(read(&message(20, &[2, 1])).1, None);
}

#[test]
fn a_socket_is_ended_by_all_that_was_shown_of_it() {
    for (family, source, destination) in [(2, v4(1), v4(2)), (10, mapped(1), mapped(2))] {
        let shown = shown(family, 1, source, destination);
        let (sockets, _) = read(&message(20, &shown));
        let request = InetRequest {
            family: sockets[0].family,
            ..request(sockets[0].id.clone())
        };
        let request = SockDiagDestroy::new(SockDiagMessage::InetRequest(request));
        let bytes = bytes(request, NLM_F_ACK);
        assert_eq!(bytes.len(), 16 + 56);
        // SOCK_DESTROY, with NLM_F_REQUEST and NLM_F_ACK.
        assert_eq!(
            bytes[4..8],
            [21_u16.to_ne_bytes(), 5_u16.to_ne_bytes()].concat()
        );
        assert_eq!(bytes[16..18], [family, 17]);
        // Ports, addresses, interface and cookie lie behind four bytes there, and behind eight here.
        assert_eq!(bytes[24..72], shown[4..52]);
    }
}
