//! Bringing bridges and rows back to what they should be, for the daemon.
use std::time::Duration;

use crate::answer::guard_failed;
use crate::bridge::{Bridge, Datapath, FailMode};
use crate::error::{Error, Result};
use crate::interface::{Interface, InterfaceChange, InterfaceType};
use crate::ops::{Columns, Condition, Mutation, Op};
use crate::port::{Port, PortChange};
use crate::switch::{Switch, next_cfg, select_bridges};
use crate::system::System;
use crate::value::Atom;

/// How often the bridge may come and go between looking and making it, before that is an error.
const ATTEMPTS: u32 = 10;

impl Switch {
    /// Makes the bridge if it is missing (and the switch's root row, if the database was wiped), and gives it
    /// `fail_mode` if one is asked for. True if it was made; then vswitchd has made its local port too,
    /// within `limit`.
    ///
    /// # Errors
    /// [`Error::DatapathMismatch`] if it is there with the other datapath, for changing that would tear all its
    /// ports down. After [`Error::Unanswered`] and [`Error::PortRefused`] the row stays, for a bridge is wanted
    /// whenever vswitchd gets to it.
    pub async fn ensure_bridge(
        &self,
        name: &str,
        datapath: Datapath,
        fail_mode: Option<FailMode>,
        limit: Duration,
    ) -> Result<bool> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let root = Op::Select {
                table: System::TABLE,
                conditions: Vec::new(),
                columns: &["_uuid"],
            };
            let bridge = select_bridges(vec![Condition::is("name", name)]);
            let mut results = self.transact(&[root, bridge]).await?.into_iter();
            let mut row = || results.next().and_then(|result| result.into_row());
            let has_root = row().is_some();
            if let Some(row) = row() {
                let bridge = Bridge::from_row(row.uuid("_uuid")?, &row)?;
                self.fit_bridge(&bridge, datapath, fail_mode).await?;
                return Ok(false);
            }
            match self
                .transact(&creation(name, datapath, fail_mode, has_root))
                .await
            {
                Ok(results) => {
                    let interface = results
                        .iter()
                        .find_map(|result| result.inserted())
                        .expect("the creation of a bridge inserts its interface first");
                    self.made(name, interface, limit).await?;
                    return Ok(true);
                }
                // somebody else was quicker with the root row or with the bridge
                Err(error)
                    if attempt < ATTEMPTS
                        && matches!(guard_failed(&error), Some(ROOT_GUARD | BRIDGE_GUARD)) => {}
                Err(error) if guard_failed(&error).is_some() => {
                    return Err(Error::PortExists {
                        name: name.to_owned(),
                        owner: self.owner_of(name).await?,
                    });
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn fit_bridge(
        &self,
        bridge: &Bridge,
        datapath: Datapath,
        fail_mode: Option<FailMode>,
    ) -> Result<()> {
        if bridge.datapath != datapath {
            return Err(Error::DatapathMismatch {
                bridge: bridge.name.clone(),
                wanted: datapath,
                found: bridge.datapath,
            });
        }
        if let Some(mode) = fail_mode
            && bridge.fail_mode != Some(mode)
        {
            let update = Op::Update {
                table: Bridge::TABLE,
                conditions: vec![Condition::is("_uuid", bridge.uuid)],
                row: Columns::new().with("fail_mode", mode.as_str()),
            };
            self.transact(&[update, next_cfg()]).await?;
        }
        Ok(())
    }

    /// Changes a Port row; [`Error::NoSuchPort`] if it is not there.
    pub async fn set_port(&self, name: &str, change: &PortChange) -> Result<()> {
        self.set(Port::TABLE, name, change.columns(), change.mutations())
            .await
    }

    /// Changes an Interface row; [`Error::NoSuchPort`] if it is not there.
    pub async fn set_interface(&self, name: &str, change: &InterfaceChange) -> Result<()> {
        self.set(Interface::TABLE, name, change.columns(), change.mutations())
            .await
    }

    async fn set(
        &self,
        table: &'static str,
        name: &str,
        row: Columns,
        mutations: Vec<Mutation>,
    ) -> Result<()> {
        let conditions = || vec![Condition::is("name", name)];
        let mut ops = vec![exactly(
            table,
            name,
            vec![Columns::new().with("name", name)],
        )];
        if !row.is_empty() {
            ops.push(Op::Update {
                table,
                conditions: conditions(),
                row,
            });
        }
        if !mutations.is_empty() {
            ops.push(Op::Mutate {
                table,
                conditions: conditions(),
                mutations,
            });
        }
        if ops.len() > 1 {
            ops.push(next_cfg());
        }
        match self.transact(&ops).await {
            Ok(_) => Ok(()),
            Err(error) if guard_failed(&error) == Some(0) => Err(Error::NoSuchPort {
                name: name.to_owned(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// Fails at once unless the rows of that name are these.
fn exactly(table: &'static str, name: &str, rows: Vec<Columns>) -> Op {
    Op::Wait {
        table,
        conditions: vec![Condition::is("name", name)],
        columns: &["name"],
        until_equal: true,
        rows,
        timeout: Duration::ZERO,
    }
}

/// Places in [`creation`] of the operations that fail if the root row, or the bridge, came in between.
const ROOT_GUARD: usize = 0;
const BRIDGE_GUARD: usize = 1;

fn creation(
    name: &str,
    datapath: Datapath,
    fail_mode: Option<FailMode>,
    has_root: bool,
) -> Vec<Op> {
    let reference = |row: &str| Atom::NamedUuid(row.to_owned());
    let insert = |table, row, id: &str| Op::Insert {
        table,
        row,
        name: Some(id.to_owned()),
    };
    let mut bridge = Columns::new()
        .with("name", name)
        .with("datapath_type", datapath.as_str())
        .with("ports", reference("port"));
    if let Some(mode) = fail_mode {
        bridge = bridge.with("fail_mode", mode.as_str());
    }
    let root_guard = Op::Wait {
        table: System::TABLE,
        conditions: Vec::new(),
        columns: &["_uuid"],
        // with a root row: any rows but none; without: none
        until_equal: !has_root,
        rows: Vec::new(),
        timeout: Duration::ZERO,
    };
    let root = if has_root {
        Op::Mutate {
            table: System::TABLE,
            conditions: Vec::new(),
            mutations: vec![
                Mutation::insert("bridges", reference("bridge")),
                Mutation::add("next_cfg", 1),
            ],
        }
    } else {
        let row = Columns::new()
            .with("bridges", reference("bridge"))
            .with("next_cfg", 1);
        insert(System::TABLE, row, "root")
    };
    vec![
        root_guard,
        exactly(Bridge::TABLE, name, Vec::new()),
        exactly(Interface::TABLE, name, Vec::new()),
        exactly(Port::TABLE, name, Vec::new()),
        insert(
            Interface::TABLE,
            Columns::new()
                .with("name", name)
                .with("type", InterfaceType::Internal.as_str()),
            "interface",
        ),
        insert(
            Port::TABLE,
            Columns::new()
                .with("name", name)
                .with("interfaces", reference("interface")),
            "port",
        ),
        insert(Bridge::TABLE, bridge, "bridge"),
        root,
        Op::Comment(format!("berth: make bridge {name}")),
    ]
}
