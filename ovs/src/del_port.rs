//! Removing a port from whichever bridge has it.
use std::time::Duration;

use crate::add_port::removal;
use crate::answer::guard_failed;
use crate::error::Result;
use crate::ops::{Columns, Condition, Op};
use crate::port::{ExternalIds, Port};
use crate::switch::{Switch, select_ports};
use crate::value::Value;

/// How often the port's keys may change between looking and removing it, before that is an error.
const ATTEMPTS: u32 = 10;

impl Switch {
    /// Removes the port of that name if its `external_ids` have all pairs of `owner` (an empty `owner` fits
    /// every port). True if there was one and it is removed; a port of somebody else stays and gives false.
    /// Does not wait for vswitchd: see [`Switch::settled`].
    pub async fn del_port(&self, name: &str, owner: &ExternalIds) -> Result<bool> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            let select = select_ports(vec![Condition::is("name", name)]);
            let Some(row) = self.transact(&[select]).await?.remove(0).into_row() else {
                return Ok(false);
            };
            let port = Port::from_row(row.uuid("_uuid")?, &row)?;
            let owned = owner
                .iter()
                .all(|(key, value)| port.external_ids.get(key) == Some(value));
            if !owned {
                tracing::debug!(port = name, owner = ?port.external_ids, "port of somebody else left alone");
                return Ok(false);
            }
            // still the same row, with the same owner
            let mut ops = vec![Op::Wait {
                table: Port::TABLE,
                conditions: vec![Condition::is("_uuid", port.uuid)],
                columns: &["external_ids"],
                until_equal: true,
                rows: vec![Columns::new().with("external_ids", Value::map(&port.external_ids))],
                timeout: Duration::ZERO,
            }];
            ops.extend(removal(port.uuid, name));
            match self.transact(&ops).await {
                Ok(_) => return Ok(true),
                Err(error) if attempt < ATTEMPTS && guard_failed(&error) == Some(0) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
