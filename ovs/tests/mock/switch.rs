//! Calls of the plugin when the database breaks off at an awkward moment.
use std::time::Duration;

use ovs::{Error, InterfaceType, PortSpec, Switch};
use serde_json::json;

use crate::peer::MockServer;

fn spec() -> PortSpec {
    PortSpec {
        limit: Duration::from_secs(30),
        ..PortSpec::new("br0", "in1", InterfaceType::Internal)
    }
}

#[tokio::test]
async fn a_port_whose_row_was_confirmed_is_removed_over_a_new_connection() {
    let uuid = |last: u8| json!({ "uuid": ["uuid", format!("00000000-0000-0000-0000-0000000000{last:02x}")] });
    let (sender, removal) = std::sync::mpsc::channel();
    let server = MockServer::new(move |number, wire| match number {
        0 => {
            let insert = wire.expect("transact");
            let results = json!([{}, {}, {}, uuid(1), uuid(2), { "count": 1 }, { "count": 1 }, {}]);
            wire.reply(&insert, &results);
            // and the connection ends while vswitchd is waited for
            wire.expect("transact");
        }
        _ => {
            let Some(request) = wire.next() else { return };
            wire.reply(&request, &json!([{ "count": 1 }, { "count": 1 }, {}]));
            sender.send(request).unwrap();
        }
    });
    let switch = Switch::connect(&server.path()).await.unwrap();
    let error = switch.add_port(&spec()).await.unwrap_err();
    assert!(
        matches!(error, Error::Closed { .. }) && error.is_retryable(),
        "{error}"
    );
    let removal = removal.recv().unwrap();
    assert_eq!(
        removal["params"][1],
        json!({
            "op": "mutate", "table": "Bridge",
            "where": [["ports", "includes", ["uuid", "00000000-0000-0000-0000-000000000002"]]],
            "mutations": [["ports", "delete", ["uuid", "00000000-0000-0000-0000-000000000002"]]],
        })
    );
}

#[tokio::test]
async fn a_port_that_cannot_be_removed_again_is_named() {
    let row = json!({ "uuid": ["uuid", "00000000-0000-0000-0000-000000000001"] });
    let refused = json!([{ "error": "timed out", "details": "" }]);
    let denied = json!([{ "error": "permission error", "details": "read only" }]);
    let server = MockServer::new(move |_, wire| {
        let Some(request) = wire.next() else { return };
        wire.reply(
            &request,
            &json!([{}, {}, {}, row, row, { "count": 1 }, { "count": 1 }, {}]),
        );
        for answer in [&refused, &denied] {
            let request = wire.expect("transact");
            wire.reply(&request, answer);
        }
        wire.next();
    });
    let switch = Switch::connect(&server.path()).await.unwrap();
    let error = switch.add_port(&spec()).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(
        error.to_string(),
        "ovs-vswitchd did not take up port in1 within 30000 ms; and port in1 could not be removed again: \
         OVSDB operation 0 (mutate Bridge) failed: permission error: read only"
    );
}

#[tokio::test]
async fn a_reply_with_a_wrong_column_is_named() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("transact");
        let row = json!({
            "_uuid": ["uuid", "00000000-0000-0000-0000-000000000001"], "name": "br0", "datapath_type": "",
            "fail_mode": ["set", []], "ports": ["set", ["x"]],
        });
        wire.reply(&request, &json!([{ "rows": [row] }]));
        wire.next();
    });
    let switch = Switch::connect(&server.path()).await.unwrap();
    let error = switch.bridge("br0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "OVSDB value of Bridge.ports is [\"set\",[\"x\"]], expected a set of UUIDs"
    );
}
