//! Waiting for vswitchd: the database server holds a transaction back until vswitchd has written what is
//! waited for, so there is nothing to poll and the answer comes with the change.
use std::time::Duration;

use tokio::time::Instant;

use crate::error::{Error, Result};
use crate::interface::Interface;
use crate::ops::{Columns, Condition, Op};
use crate::row::Row;
use crate::switch::{Switch, select_interfaces};
use crate::system::System;
use crate::value::{Uuid, Value};

impl Switch {
    /// Waits until vswitchd has given the interface an OpenFlow number, or says that it cannot.
    pub(crate) async fn made(
        &self,
        name: &str,
        interface: Uuid,
        limit: Duration,
    ) -> Result<Interface> {
        let row = || vec![Condition::is("_uuid", interface)];
        let deadline = Instant::now() + limit;
        let mut seen = Value::empty();
        loop {
            let wait = Op::Wait {
                table: Interface::TABLE,
                conditions: row(),
                columns: &["ofport"],
                until_equal: false,
                rows: vec![Columns::new().with("ofport", seen)],
                timeout: deadline.saturating_duration_since(Instant::now()),
            };
            let mut results = match self.transact(&[wait, select_interfaces(row())]).await {
                Err(error) if timed_out(&error) => {
                    return Err(Error::Unanswered {
                        what: format!("port {name}"),
                        waited: limit,
                    });
                }
                other => other?,
            };
            let row = results
                .pop()
                .and_then(|result| result.into_row())
                .ok_or_else(|| Error::NoSuchPort {
                    name: name.to_owned(),
                })?;
            let found = Interface::from_row(interface, &row)?;
            match found.ofport {
                Some(1..) => return Ok(found),
                Some(..0) => {
                    return Err(Error::PortRefused {
                        name: name.to_owned(),
                        error: found.error.unwrap_or_else(|| "no reason given".to_owned()),
                    });
                }
                // zero is no OpenFlow number: nobody's answer yet
                Some(0) => seen = Value::from(0),
                None => seen = Value::empty(),
            }
        }
    }

    /// Waits until vswitchd has carried out all that is in the database now and was announced by `next_cfg`.
    /// A vswitchd that restarts does not touch the counters: this says nothing about its ports.
    ///
    /// # Errors
    /// [`Error::Unanswered`] if it has not within `limit`.
    pub async fn settled(&self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        let Some(System {
            next_cfg: wanted,
            cur_cfg: mut seen,
            ..
        }) = self.system().await?
        else {
            return Ok(());
        };
        while seen < wanted {
            let wait = Op::Wait {
                table: System::TABLE,
                conditions: Vec::new(),
                columns: &["cur_cfg"],
                until_equal: false,
                rows: vec![Columns::new().with("cur_cfg", seen)],
                timeout: deadline.saturating_duration_since(Instant::now()),
            };
            let select = Op::Select {
                table: System::TABLE,
                conditions: Vec::new(),
                columns: &["cur_cfg"],
            };
            let row: Option<Row> = match self.transact(&[wait, select]).await {
                Err(error) if timed_out(&error) => {
                    return Err(Error::Unanswered {
                        what: format!("configuration {wanted}"),
                        waited: limit,
                    });
                }
                other => other?.pop().and_then(|result| result.into_row()),
            };
            seen = match row {
                Some(row) => row.optional_integer("cur_cfg")?.unwrap_or(0),
                None => return Ok(()),
            };
        }
        Ok(())
    }
}

/// True if the first operation, a `wait`, was the one that failed, and by time.
fn timed_out(error: &Error) -> bool {
    guard_failed(error) == Some(0)
}

/// Index of the `wait` that failed, if that is why the transaction did.
pub(crate) fn guard_failed(error: &Error) -> Option<usize> {
    match error {
        Error::Transaction { op, error, .. } if error == "timed out" => Some(*op),
        _ => None,
    }
}
