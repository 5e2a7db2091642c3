//! The store beyond the rows: what upstream's own tests do not name.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

mod own_store;

use ipam::{Config, Store, release};
use own_store::{Rig, add, ip};
use serde_json::json;

#[test]
fn white_space_around_an_id_does_not_count() {
    let rig = Rig::new();
    let config = rig.config(json!({"subnet": "10.1.2.0/24"}));
    assert_eq!(
        add(&config, "   dummy\n ", "eth0").unwrap(),
        ["10.1.2.2/24"]
    );
    assert_eq!(rig.files("mynet")["10.1.2.2"], "dummy\r\neth0");
    rig.put("mynet", "10.1.2.9", " dummy\r\neth0\n");
    let mut released = release(&config.store(), "   dummy\n ", "eth0").unwrap();
    released.sort();
    assert_eq!(released, [ip("10.1.2.2"), ip("10.1.2.9")]);
}

#[test]
fn the_store_is_found_even_when_the_ranges_are_unusable() {
    let rig = Rig::new();
    add(&rig.config(json!({"subnet": "10.1.2.0/24"})), "id", "eth0").unwrap();
    let broken = rig.network(
        "1.0.0",
        "mynet",
        json!({"subnet": "10.1.2.0/33", "ranges": 5}),
    );
    assert!(Config::parse("mynet", &broken, "").is_err());
    let store = Store::of_network("mynet", &broken).unwrap();
    assert_eq!(release(&store, "id", "eth0").unwrap(), [ip("10.1.2.2")]);
    let default = Store::of_network("mynet", &json!({})).unwrap();
    assert_eq!(
        default.directory().to_str(),
        Some("/var/lib/cni/networks/mynet")
    );
}
