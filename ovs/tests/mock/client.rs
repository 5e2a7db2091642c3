//! Replies in pieces, in heaps, late, wrong, and not at all.
use std::time::Duration;

use ovs::monitor::Monitored;
use ovs::{Client, DATABASE, Error, Op};
use serde_json::{Value as Json, json};

use crate::peer::{MockServer, Wire, reply};

const LIMIT: Duration = Duration::from_secs(30);

async fn connect(server: &MockServer) -> Client {
    Client::connect(&server.path()).await.unwrap()
}

/// The error that a client gets for its echo when the server answers with these bytes and then closes.
async fn error_for(answer: impl Fn(&Json) -> Vec<u8> + Send + 'static) -> Error {
    let server = MockServer::new(move |_, wire| {
        let request = wire.expect("echo");
        wire.say(answer(&request));
    });
    let client = connect(&server).await;
    let error = client.echo(LIMIT).await.unwrap_err();
    assert!(client.is_closed());
    // the connection stays dead, with the same reason
    assert_eq!(
        client.echo(LIMIT).await.unwrap_err().to_string(),
        error.to_string()
    );
    error
}

#[tokio::test]
async fn a_reply_byte_by_byte() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("anything");
        for byte in reply(&request, &json!({ "text": "a \"quoted\" } \\ ü {[" })).bytes() {
            wire.say([byte]);
        }
        wire.next();
    });
    let result = connect(&server)
        .await
        .call("anything", json!([]), LIMIT)
        .await
        .unwrap();
    assert_eq!(result["text"], "a \"quoted\" } \\ ü {[");
}

#[tokio::test]
async fn several_replies_in_one_write_and_out_of_order() {
    let server = MockServer::new(|_, wire| {
        let first = wire.next().unwrap();
        let second = wire.next().unwrap();
        wire.say(
            [
                reply(&second, &json!(2)),
                " \n ".to_owned(),
                reply(&first, &json!(1)),
            ]
            .concat(),
        );
        wire.next();
    });
    let client = connect(&server).await;
    let (first, second) = tokio::join!(
        client.call("first", json!([]), LIMIT),
        client.call("second", json!([]), LIMIT)
    );
    assert_eq!((first.unwrap(), second.unwrap()), (json!(1), json!(2)));
}

#[tokio::test]
async fn a_reply_of_many_megabytes() {
    const LENGTH: usize = 24 << 20;
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("anything");
        wire.reply(&request, &json!("x".repeat(LENGTH)));
        let request = wire.expect("anything");
        wire.reply(&request, &json!("short"));
        wire.next();
    });
    let client = connect(&server).await;
    let long = client.call("anything", json!([]), LIMIT).await.unwrap();
    assert_eq!(long.as_str().map(str::len), Some(LENGTH));
    assert_eq!(
        client.call("anything", json!([]), LIMIT).await.unwrap(),
        "short"
    );
}

#[tokio::test]
async fn a_large_request_to_a_server_that_writes_before_it_reads() {
    // each side has more to say than the socket holds: whoever only writes blocks the other for ever
    const LENGTH: usize = 8 << 20;
    let server = MockServer::new(|_, wire| {
        wire.say(
            json!({ "id": null, "method": "noise", "params": ["x".repeat(LENGTH)] }).to_string(),
        );
        let request = wire.expect("anything");
        let length = request["params"][0].as_str().map(str::len);
        wire.reply(&request, &json!(length));
        wire.next();
    });
    let params = json!(["y".repeat(LENGTH)]);
    let result = connect(&server)
        .await
        .call("anything", params, LIMIT)
        .await
        .unwrap();
    assert_eq!(result, LENGTH);
}

#[tokio::test]
async fn the_servers_echo_is_answered_and_its_other_requests_are_refused() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("anything");
        wire.say(json!({ "id": "echo", "method": "echo", "params": ["a", 1] }).to_string());
        wire.say(json!({ "id": 7, "method": "unheard", "params": [] }).to_string());
        wire.say(json!({ "id": null, "method": "locked", "params": ["x"] }).to_string());
        let answers = [wire.next(), wire.next()];
        wire.reply(&request, &json!(answers));
        wire.next();
    });
    let answers = connect(&server)
        .await
        .call("anything", json!([]), LIMIT)
        .await
        .unwrap();
    assert_eq!(
        answers,
        json!([
            { "id": "echo", "result": ["a", 1], "error": null },
            { "id": 7, "result": null, "error": "unknown method" },
        ])
    );
}

#[tokio::test]
async fn a_late_reply_does_not_disturb_the_next() {
    let (go, gone) = std::sync::mpsc::channel();
    let server = MockServer::new(move |_, wire| {
        let late = wire.expect("echo");
        gone.recv().unwrap();
        wire.reply(&late, &json!("late"));
        let next = wire.expect("next");
        wire.reply(&next, &json!("next"));
        wire.next();
    });
    let client = connect(&server).await;
    let error = client.echo(Duration::from_millis(20)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");
    go.send(()).unwrap();
    assert_eq!(client.call("next", json!([]), LIMIT).await.unwrap(), "next");
}

#[tokio::test]
async fn an_error_reply_is_the_callers_and_the_connection_lives() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("anything");
        wire.say(
            json!({ "id": request["id"], "result": null, "error": { "error": "busy" } })
                .to_string(),
        );
        let request = wire.expect("anything");
        wire.reply(&request, &Json::Null);
        wire.next();
    });
    let client = connect(&server).await;
    let error = client.call("anything", json!([]), LIMIT).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "server at {} refused anything: {{\"error\":\"busy\"}}",
            server.path().display()
        )
    );
    assert_eq!(
        client.call("anything", json!([]), LIMIT).await.unwrap(),
        Json::Null
    );
}

#[tokio::test]
async fn the_end_in_the_middle_of_a_message_is_told_from_a_clean_one() {
    let cut = error_for(|request| reply(request, &json!([])).into_bytes()[..10].to_vec()).await;
    assert!(
        cut.to_string()
            .ends_with("end of file in the middle of a message"),
        "{cut}"
    );
    assert!(cut.is_retryable());
    let clean = error_for(|_| Vec::new()).await;
    assert!(
        clean.to_string().ends_with("closed: end of file"),
        "{clean}"
    );
}

#[tokio::test]
async fn whatever_is_wrong_in_the_stream_is_named() {
    for (bytes, detail) in [
        (
            "GET / HTTP/1.0",
            "byte 0x47 at offset 0 of the stream, expected { of a message",
        ),
        (
            "[1]",
            "byte 0x5b at offset 0 of the stream, expected { of a message",
        ),
        (
            "{\"a\":[}",
            "byte 0x7d at offset 6 of the stream closes a bracket of the other kind",
        ),
        (
            "{\"a\" 1}",
            "message is no JSON: expected `:` at line 1 column 6",
        ),
        (
            "{\"id\":null,\"result\":1,\"error\":null}",
            "reply to request null, which is not open",
        ),
        (
            "{\"id\":99,\"result\":1,\"error\":null}",
            "reply to request 99, which is not open",
        ),
        (
            "{\"id\":\"0\",\"result\":1,\"error\":null}",
            "reply to request \"0\", which is not open",
        ),
        (
            "{\"id\":0}",
            "reply to request 0 has neither result nor error",
        ),
        (
            "{\"id\":0,\"method\":5}",
            "method is a number, expected a string",
        ),
        (
            "{\"id\":null,\"method\":\"update\",\"params\":{}}",
            "params of update are an object",
        ),
        (
            "{\"id\":null,\"method\":\"update\",\"params\":[1]}",
            "params of update are not a monitor and its tables",
        ),
    ] {
        let error = error_for(move |_| bytes.as_bytes().to_vec()).await;
        assert!(matches!(error, Error::Protocol { .. }), "{bytes}: {error}");
        assert!(
            error
                .to_string()
                .ends_with(&format!("broke the protocol: {detail}")),
            "{bytes}: {error}"
        );
        assert!(!error.is_retryable());
    }
    let deep = error_for(|_| "{\"a\":".repeat(200).into_bytes()).await;
    assert!(
        deep.to_string().contains("nested more than 100 deep"),
        "{deep}"
    );
}

#[tokio::test]
async fn results_that_do_not_fit_the_operations_are_named() {
    for (result, detail) in [
        (
            json!({}),
            "result of transact is an object, expected an array",
        ),
        (json!([]), "0 results for 1 operations"),
        (json!([{}]), "result 0 (select Bridge): no rows"),
        (json!([null]), "result 0 (select Bridge): no rows"),
        (
            json!([{ "rows": [1] }]),
            "result 0 (select Bridge): OVSDB value of Bridge.* is 1, expected a row",
        ),
    ] {
        let server = MockServer::new(move |_, wire| {
            let request = wire.expect("transact");
            wire.reply(&request, &result);
            wire.next();
        });
        let select = Op::Select {
            table: "Bridge",
            conditions: Vec::new(),
            columns: &["name"],
        };
        let error = connect(&server)
            .await
            .transact(DATABASE, &[select])
            .await
            .unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with(&format!("broke the protocol: {detail}")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_error_without_details_is_still_one() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("transact");
        wire.reply(
            &request,
            &json!([{}, { "error": "resources exhausted" }, null]),
        );
        wire.next();
    });
    let comment = Op::Comment("x".to_owned());
    let delete = Op::Delete {
        table: "Port",
        conditions: Vec::new(),
    };
    let ops = [comment.clone(), delete, comment];
    let error = connect(&server)
        .await
        .transact(DATABASE, &ops)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "OVSDB operation 1 (delete Port) failed: resources exhausted: "
    );
}

fn monitored() -> Vec<Monitored> {
    vec![Monitored {
        table: "Bridge",
        columns: vec!["name"],
    }]
}

/// Answers a monitor and sends updates in the same write as the reply.
fn monitor_with(wire: &mut Wire, updates: &[Json]) {
    let request = wire.expect("monitor");
    let mut text = reply(&request, &json!({}));
    for tables in updates {
        text +=
            &json!({ "id": null, "method": "update", "params": [request["params"][1], tables] })
                .to_string();
    }
    wire.say(text);
    wire.next();
}

#[tokio::test]
async fn updates_in_the_same_read_as_the_reply_are_kept_in_order() {
    let uuid = "00000000-0000-0000-0000-000000000001";
    let server = MockServer::new(move |_, wire| {
        let insert = json!({ "Bridge": { uuid: { "new": { "name": "br0" } } } });
        let delete = json!({ "Bridge": { uuid: { "old": { "name": "br0" } } } });
        monitor_with(wire, &[insert, delete]);
    });
    let client = connect(&server).await;
    let (initial, mut updates) = client.monitor(DATABASE, "id", monitored()).await.unwrap();
    assert!(initial.is_empty());
    let insert = updates.next().await.unwrap().unwrap();
    assert_eq!(insert[0].uuid, ovs::Uuid(1));
    assert_eq!(
        insert[0].new.as_ref().unwrap().string("name").unwrap(),
        "br0"
    );
    let delete = updates.next().await.unwrap().unwrap();
    assert!(delete[0].new.is_none());
}

#[tokio::test]
async fn updates_that_make_no_sense_are_named() {
    let uuid = "00000000-0000-0000-0000-000000000001";
    for (tables, detail) in [
        (
            json!([]),
            "table updates are an array, expected an object".to_owned(),
        ),
        (
            json!({ "Port": {} }),
            "update of table Port, which is not monitored".to_owned(),
        ),
        (
            json!({ "Bridge": 1 }),
            "updates of Bridge are a number, expected an object".to_owned(),
        ),
        (
            json!({ "Bridge": { "1": {} } }),
            "update of Bridge: \"1\" is not a UUID".to_owned(),
        ),
        (
            json!({ "Bridge": { uuid: 1 } }),
            format!("update of Bridge {uuid} is a number"),
        ),
        (
            json!({ "Bridge": { uuid: { "new": 1 } } }),
            "OVSDB value of Bridge.* is 1, expected a row".to_owned(),
        ),
    ] {
        let server =
            MockServer::new(move |_, wire| monitor_with(wire, std::slice::from_ref(&tables)));
        let client = connect(&server).await;
        let (_, mut updates) = client.monitor(DATABASE, "id", monitored()).await.unwrap();
        assert_eq!(updates.next().await.unwrap().unwrap_err(), detail);
    }
}

#[tokio::test]
async fn a_stream_of_updates_ends_with_its_connection() {
    let server = MockServer::new(|_, wire| {
        let request = wire.expect("monitor");
        wire.reply(&request, &json!({}));
    });
    let client = connect(&server).await;
    let (_, mut updates) = client.monitor(DATABASE, "id", monitored()).await.unwrap();
    assert!(updates.next().await.is_none());
    assert!(matches!(client.ended(), Error::Closed { .. }));
}
