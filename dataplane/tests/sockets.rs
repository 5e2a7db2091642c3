//! The table of sockets, in the kernel.

use abi::{SocketKey, SocketOrigin, names};
use aya::maps::{HashMap, Map, MapData};
use dataplane::loader::Dataplane;
use dataplane::pins::Pins;
use dataplane::sockets::Sockets;
use tests::bpffs::BpfFs;

#[test]
fn entries_are_found_and_forgotten_by_themselves() {
    let bpf = BpfFs::new().unwrap();
    let bpf_dir = bpf.path().join("berth");
    assert!(Sockets::open(&bpf_dir).is_err(), "nothing is pinned yet");
    let (_programs, _maps) = Dataplane::load(&bpf_dir, None).unwrap();
    let map = MapData::from_pin(Pins::new(&bpf_dir).map(names::SOCKETS)).unwrap();
    let map = Map::from_map_data(map).unwrap();
    let mut programs: HashMap<MapData, SocketKey, SocketOrigin> = map.try_into().unwrap();
    let key = |cookie| SocketKey {
        cookie,
        protocol: 17,
        ..SocketKey::default()
    };
    for cookie in 1..=3 {
        let origin = SocketOrigin {
            port_id: 7,
            ..SocketOrigin::default()
        };
        programs.insert(key(cookie), origin, 0).unwrap();
    }
    let mut sockets = Sockets::open(&bpf_dir).unwrap();
    let cookies = |sockets: &Sockets| -> Vec<u64> {
        let found = sockets.find(|key, origin| key.cookie != 3 && origin.port_id == 7);
        found.unwrap().keys().map(|key| key.cookie).collect()
    };
    assert_eq!(cookies(&sockets), [1, 2]);
    sockets.forget(&key(1)).unwrap();
    // Of what is not there, too.
    sockets.forget(&key(1)).unwrap();
    assert_eq!(cookies(&sockets), [2]);
}
