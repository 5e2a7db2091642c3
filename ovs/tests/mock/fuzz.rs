//! Whatever a server sends, a call ends in a result or an error, never in a panic or a hang.
use std::time::Duration;

use ovs::monitor::Monitored;
use ovs::{Client, DATABASE, Error, Op};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::{Value as Json, json};

use crate::peer::MockServer;

const LIMIT: Duration = Duration::from_secs(30);

/// JSON in which the words and shapes of OVSDB are likely.
fn answer() -> impl Strategy<Value = Json> {
    let words = [
        "set",
        "map",
        "uuid",
        "named-uuid",
        "rows",
        "count",
        "error",
        "details",
        "new",
        "old",
        "name",
        "Bridge",
        "00000000-0000-0000-0000-000000000001",
        "timed out",
    ];
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<i64>().prop_map(Json::from),
        proptest::sample::select(words.to_vec()).prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        let keys = proptest::sample::select(words.to_vec());
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            vec((keys, inner), 0..5).prop_map(|pairs| {
                Json::Object(
                    pairs
                        .into_iter()
                        .map(|(key, value)| (key.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

/// Runs `call` against a server that answers its request by `script`, for each of a bounded number of inputs.
fn fuzz<I: Clone + std::fmt::Debug + Send + 'static>(
    inputs: impl Strategy<Value = I>,
    script: impl Fn(&Json, &I) -> Vec<u8> + Clone + Send + 'static,
    call: impl AsyncFn(Client) -> Result<(), Error>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let ended = TestRunner::new(config).run(&inputs, |input| {
        let script = script.clone();
        let server = MockServer::new(move |_, wire| {
            let request = wire.next().unwrap();
            wire.say(script(&request, &input));
        });
        let result = runtime.block_on(async {
            let client = Client::connect(&server.path()).await.unwrap();
            call(client).await
        });
        match result {
            Ok(()) => Ok(()),
            Err(error @ Error::TimedOut { .. }) => Err(TestCaseError::fail(error.to_string())),
            Err(error) if error.to_string().contains("its task was stopped") => {
                Err(TestCaseError::fail("the connection panicked"))
            }
            Err(_) => Ok(()),
        }
    });
    if let Err(TestError::Fail(reason, input)) = ended {
        panic!("{reason}: {input:?}");
    }
    ended.unwrap();
}

#[test]
fn any_bytes() {
    fuzz(
        vec(
            prop_oneof![
                proptest::sample::select(b"{}[]\"\\ :,0id".to_vec()),
                any::<u8>()
            ],
            0..60,
        ),
        |_, bytes| bytes.clone(),
        async |client| client.echo(LIMIT).await,
    );
}

#[test]
fn any_message() {
    let parts = (answer(), answer(), proptest::option::of(answer()));
    fuzz(
        parts,
        |request, (result, error, method)| {
            let mut message = json!({ "id": request["id"], "result": result, "error": error });
            if let Some(method) = method {
                message["method"] = method.clone();
            }
            message.to_string().into_bytes()
        },
        async |client| client.echo(LIMIT).await,
    );
}

#[test]
fn any_result_of_a_transaction() {
    fuzz(
        prop_oneof![answer(), vec(answer(), 2).prop_map(Json::from)],
        |request, result| {
            json!({ "id": request["id"], "result": result, "error": null })
                .to_string()
                .into_bytes()
        },
        async |client| {
            let select = Op::Select {
                table: "Bridge",
                conditions: Vec::new(),
                columns: &["name"],
            };
            let delete = Op::Delete {
                table: "Bridge",
                conditions: Vec::new(),
            };
            client.transact(DATABASE, &[select, delete]).await.map(drop)
        },
    );
}

#[test]
fn any_first_copy_and_any_update() {
    fuzz(
        (prop_oneof![Just(json!({})), answer()], answer()),
        |request, (first, update)| {
            let reply = json!({ "id": request["id"], "result": first, "error": null });
            let update = json!({ "id": null, "method": "update", "params": ["id", update] });
            format!("{reply}{update}").into_bytes()
        },
        async |client| {
            let table = Monitored {
                table: "Bridge",
                columns: vec!["name"],
            };
            let (_, mut updates) = client.monitor(DATABASE, "id", vec![table]).await?;
            while updates.next().await.is_some() {}
            Err(client.ended())
        },
    );
}
