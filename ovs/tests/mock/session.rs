//! The replica when the server misbehaves: it drops the connection and starts over.
use std::sync::Arc;
use std::time::Duration;

use ovs::{Connection, Session, Snapshot};
use serde_json::{Value as Json, json};
use tokio::time::timeout;

use crate::peer::{MockServer, Wire};

const LIMIT: Duration = Duration::from_secs(30);

/// A schema with every column that anybody may ask for, but those in `without`.
fn schema(without: &[&str]) -> Json {
    let mut tables = serde_json::Map::new();
    for (table, columns) in [
        (
            "Open_vSwitch",
            "ovs_version db_version datapath_types iface_types next_cfg cur_cfg other_config external_ids",
        ),
        (
            "Bridge",
            "name datapath_type fail_mode ports datapath_id external_ids other_config",
        ),
        (
            "Port",
            "name interfaces tag trunks vlan_mode qos external_ids",
        ),
        (
            "Interface",
            "name type ofport ofport_request error mac mac_in_use mtu_request mtu ifindex admin_state link_state \
             link_resets ingress_policing_rate external_ids",
        ),
    ] {
        let columns: serde_json::Map<String, Json> = columns
            .split_whitespace()
            .filter(|column| !without.contains(column))
            .map(|column| (column.to_owned(), json!({})))
            .collect();
        tables.insert(table.to_owned(), json!({ "columns": columns }));
    }
    json!({ "name": "Open_vSwitch", "tables": tables })
}

/// Serves schema and monitor with the bridge of that number, and gives the request for the monitor.
fn introduce(wire: &mut Wire, without: &[&str], number: usize) -> Option<Json> {
    let request = wire.next()?;
    assert_eq!(request["method"], "get_schema");
    wire.reply(&request, &schema(without));
    let request = wire.next()?;
    assert_eq!(request["method"], "monitor", "{request}");
    let row = json!({
        "name": format!("br{number}"), "datapath_type": "netdev", "fail_mode": ["set", []], "ports": ["set", []],
        "datapath_id": ["set", []], "external_ids": ["map", []], "other_config": ["map", []],
    });
    // another row each time: a copy that is not made anew would keep the former ones
    let uuid = ovs::Uuid(number as u128).to_string();
    wire.reply(&request, &json!({ "Bridge": { uuid: { "new": row } } }));
    Some(request)
}

async fn until(session: &Session, condition: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
    let mut snapshots = session.subscribe();
    let found = timeout(LIMIT, snapshots.wait_for(condition))
        .await
        .expect("in time");
    found.expect("the session lives").clone()
}

#[tokio::test]
async fn garbage_in_the_stream_makes_it_copy_anew() {
    let server = MockServer::new(|number, wire| {
        introduce(wire, &[], number);
        if number < 3 {
            wire.say("garbage");
        } else {
            wire.next();
        }
    });
    let session = Session::start(&server.path());
    let now = until(&session, |now| now.is_live() && now.resyncs == 4).await;
    // nothing of the former copies is left
    assert_eq!(now.bridges.keys().collect::<Vec<_>>(), ["br3"]);
}

#[tokio::test]
async fn a_reason_is_shown_while_the_server_talks_nonsense() {
    let server = MockServer::new(|_, wire| {
        let Some(request) = wire.next() else { return };
        wire.reply(&request, &json!({ "tables": {} }));
    });
    let session = Session::start(&server.path());
    let now = until(&session, |now| {
        matches!(&now.connection, Connection::Away { reason } if reason.contains("broke the protocol"))
    })
    .await;
    let Connection::Away { reason } = &now.connection else {
        panic!("{now:?}")
    };
    assert!(
        reason.ends_with("schema has no table Open_vSwitch"),
        "{reason}"
    );
}

#[tokio::test]
async fn an_older_schema_is_asked_only_for_what_it_has() {
    let (sender, requests) = std::sync::mpsc::channel();
    let server = MockServer::new(move |_, wire| {
        let request = introduce(wire, &["mtu_request", "link_resets"], 0);
        sender.send(request).unwrap();
        wire.next();
    });
    let session = Session::start(&server.path());
    until(&session, |now| now.is_live()).await;
    let columns = requests.recv().unwrap().unwrap()["params"][2]["Interface"][0]["columns"].clone();
    let columns: Vec<&str> = columns
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Json::as_str)
        .collect();
    assert!(columns.contains(&"ofport") && columns.contains(&"external_ids"));
    assert!(!columns.contains(&"mtu_request") && !columns.contains(&"link_resets"));
}

#[tokio::test]
async fn a_schema_without_owners_is_refused() {
    let server = MockServer::new(|_, wire| {
        let Some(request) = wire.next() else { return };
        wire.reply(&request, &schema(&["external_ids"]));
    });
    let session = Session::start(&server.path());
    until(&session, |now| {
        matches!(&now.connection, Connection::Away { reason }
            if reason.ends_with("schema has no column Open_vSwitch.external_ids"))
    })
    .await;
}

#[tokio::test]
async fn a_silent_server_is_asked_for_a_sign_of_life_and_then_left() {
    let (sender, asked) = std::sync::mpsc::channel();
    let server = MockServer::new(move |number, wire| {
        introduce(wire, &[], number);
        // one echo is answered, the next is not
        let Some(request) = wire.next() else { return };
        if number == 0 {
            wire.reply(&request, &json!([]));
            sender.send(wire.next().unwrap()["method"].clone()).unwrap();
            wire.next();
        }
    });
    let session = Session::probing(&server.path(), Duration::from_millis(200));
    until(&session, |now| now.resyncs >= 2).await;
    assert_eq!(asked.recv().unwrap(), "echo");
}
