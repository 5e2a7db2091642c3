//! The protocol against a real server.
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use ovs::monitor::Monitored;
use ovs::ops::{Columns, Condition, Mutation};
use ovs::{Client, DATABASE, Error, Op, Value};
use tests::netns::Netns;
use tests::ovs::{Datapath, Ovs};
use tokio::net::UnixStream;

use crate::rig::{LIMIT, until};

async fn server(hint: &str) -> Result<(Netns, Ovs, Client)> {
    let root = Netns::new(hint)?;
    let ovs = Ovs::start(&root, Datapath::Userspace)?;
    let client = Client::connect(ovs.socket()).await?;
    Ok((root, ovs, client))
}

fn set_external_id(key: &str, value: String) -> Op {
    let pair = Value::Map(vec![(key.into(), value.into())]);
    Op::Mutate {
        table: "Open_vSwitch",
        conditions: Vec::new(),
        mutations: vec![Mutation::insert("external_ids", pair)],
    }
}

#[tokio::test]
async fn an_error_names_the_operation_and_nothing_is_carried_out() -> Result<()> {
    let (_root, _ovs, client) = server("client-error").await?;
    let ops = [
        set_external_id("key", "value".to_owned()),
        Op::Select {
            table: "Bridge",
            conditions: Vec::new(),
            columns: &["no_such_column"],
        },
    ];
    match client.transact(DATABASE, &ops).await {
        Err(Error::Transaction {
            op,
            what,
            error,
            details,
        }) => {
            assert_eq!((op, what.as_str()), (1, "select Bridge"));
            assert_eq!(error, "syntax error");
            assert!(details.contains("no_such_column"), "{details}");
        }
        other => panic!("{other:?}"),
    }
    let select = Op::Select {
        table: "Open_vSwitch",
        conditions: Vec::new(),
        columns: &["external_ids"],
    };
    let row = client
        .transact(DATABASE, &[select])
        .await?
        .remove(0)
        .into_row();
    assert!(
        !row.expect("a root row")
            .string_map("external_ids")?
            .contains_key("key")
    );
    Ok(())
}

#[tokio::test]
async fn an_error_at_commit_is_told_from_one_of_an_operation() -> Result<()> {
    let (_root, _ovs, client) = server("client-commit").await?;
    // a Port needs an Interface: seen only when the whole is checked
    let lonely = Op::Mutate {
        table: "Open_vSwitch",
        conditions: Vec::new(),
        mutations: vec![Mutation::insert("bridges", ovs::Uuid(1))],
    };
    match client.transact(DATABASE, &[lonely]).await {
        Err(Error::Transaction {
            op: 1, what, error, ..
        }) => {
            assert_eq!(what, "commit");
            assert_eq!(error, "referential integrity violation");
        }
        other => panic!("{other:?}"),
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_database_is_refused_in_the_servers_words() -> Result<()> {
    let (_root, ovs, client) = server("client-nodb").await?;
    match client.get_schema("Nothing").await {
        Err(error @ Error::Refused { .. }) => {
            let text = error.to_string();
            assert!(
                text.contains("get_schema") && text.contains("unknown database"),
                "{text}"
            );
            assert!(text.contains(&ovs.socket().display().to_string()), "{text}");
        }
        other => panic!("{other:?}"),
    }
    // the connection is as good as before
    client.echo(LIMIT).await?;
    Ok(())
}

#[tokio::test]
async fn a_wait_holds_until_another_connection_writes() -> Result<()> {
    let (_root, ovs, client) = server("client-wait").await?;
    let other = Client::connect(ovs.socket()).await?;
    let wait = |timeout| Op::Wait {
        table: "Open_vSwitch",
        conditions: vec![Condition::includes(
            "external_ids",
            Value::Map(vec![("flag".into(), "up".into())]),
        )],
        columns: &["_uuid"],
        until_equal: false,
        rows: Vec::<Columns>::new(),
        timeout,
    };
    match client.transact(DATABASE, &[wait(Duration::ZERO)]).await {
        Err(Error::Transaction { op: 0, error, .. }) => assert_eq!(error, "timed out"),
        result => panic!("{result:?}"),
    }
    let patient = [wait(LIMIT)];
    let write = [set_external_id("flag", "up".to_owned())];
    let (waited, written) = tokio::join!(client.transact(DATABASE, &patient), async {
        // the waiting transaction is in the server's hands once a later echo has come back
        client.echo(LIMIT).await?;
        other.transact(DATABASE, &write).await
    });
    waited?;
    written?;
    Ok(())
}

#[tokio::test]
async fn replies_of_megabytes_and_updates_of_many_rows() -> Result<()> {
    const ROWS: usize = 4000;
    let (_root, ovs, client) = server("client-large").await?;
    let watcher = Client::connect(ovs.socket()).await?;
    let table = || {
        vec![Monitored {
            table: "QoS",
            columns: vec!["external_ids"],
        }]
    };
    let (before, mut updates) = watcher.monitor(DATABASE, "large", table()).await?;
    assert!(before.is_empty());

    let padding = "\\\"{[ü".repeat(200);
    let inserts: Vec<Op> = (0..ROWS)
        .map(|number| {
            let pair = Value::Map(vec![("key".into(), format!("{number} {padding}").into())]);
            Op::Insert {
                table: "QoS",
                row: Columns::new().with("external_ids", pair),
                name: None,
            }
        })
        .collect();
    let inserted: BTreeSet<_> = client
        .transact(DATABASE, &inserts)
        .await?
        .iter()
        .filter_map(|result| result.inserted())
        .collect();
    assert_eq!(inserted.len(), ROWS);

    let update = updates
        .next()
        .await
        .expect("the watcher is connected")
        .expect("rows");
    assert_eq!(
        update.iter().map(|row| row.uuid).collect::<BTreeSet<_>>(),
        inserted
    );

    let select = Op::Select {
        table: "QoS",
        conditions: Vec::new(),
        columns: &["_uuid", "external_ids"],
    };
    let rows = client
        .transact(DATABASE, &[select])
        .await?
        .remove(0)
        .into_rows();
    let mut numbers = BTreeSet::new();
    for row in &rows {
        let value = row
            .string_map("external_ids")?
            .remove("key")
            .expect("each row has it");
        let number = value
            .strip_suffix(&padding)
            .expect("nothing was lost")
            .trim_end();
        assert!(numbers.insert(number.parse::<usize>()?));
    }
    assert_eq!(numbers.len(), ROWS);

    let (again, _updates) = client.monitor(DATABASE, "again", table()).await?;
    assert_eq!(again.len(), ROWS);
    Ok(())
}

#[tokio::test]
async fn a_server_that_stops_answering_is_noticed() -> Result<()> {
    let (_root, ovs, client) = server("client-stopped").await?;
    let pid: i32 = std::fs::read_to_string(ovs.rundir().join("ovsdb-server.pid"))?
        .trim()
        .parse()?;
    kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
    let echo = client.echo(Duration::from_millis(100)).await;
    kill(Pid::from_raw(pid), Signal::SIGCONT)?;
    match echo {
        Err(error @ Error::TimedOut { .. }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
    // the late reply does not disturb the next
    client.echo(LIMIT).await?;
    Ok(())
}

#[tokio::test]
async fn more_clients_than_the_servers_queue_holds_all_get_in() -> Result<()> {
    let (_root, ovs, _client) = server("client-crowd").await?;
    let pid: i32 = std::fs::read_to_string(ovs.rundir().join("ovsdb-server.pid"))?
        .trim()
        .parse()?;
    kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
    let socket = ovs.socket().to_owned();
    let clients: Vec<_> = (0..200)
        .map(|_| {
            let socket = socket.clone();
            tokio::spawn(async move { Client::connect(&socket).await?.echo(LIMIT).await })
        })
        .collect();
    // the queue is full when the kernel turns a plain connection away
    let full = until("a full queue", async || {
        Ok(UnixStream::connect(&socket)
            .await
            .is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
    })
    .await;
    kill(Pid::from_raw(pid), Signal::SIGCONT)?;
    full?;
    for client in clients {
        client.await??;
    }
    Ok(())
}

#[tokio::test]
async fn after_the_servers_end_calls_fail_at_once() -> Result<()> {
    let (_root, mut ovs, client) = server("client-end").await?;
    ovs.stop_ovsdb();
    match client.echo(LIMIT).await {
        Err(error @ Error::Closed { .. }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
    assert!(client.is_closed());
    match Client::connect(ovs.socket()).await {
        Err(Error::Connect { path, .. }) => assert_eq!(path, ovs.socket()),
        other => panic!("{other:?}"),
    }
    Ok(())
}
