//! The table of flows, looked after.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use dataplane::flows::Swept;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::{SWEEP_AGAIN, Services, UDP};
use crate::clock;

impl Services {
    /// Removes what is over from the table of flows, for ever; and what is cut at once.
    pub(super) async fn tend_flows(self: Arc<Self>) {
        loop {
            let begin = Instant::now();
            let this = self.clone();
            match spawn_blocking(move || this.sweep()).await {
                Ok(Ok(swept)) => self.inner().swept = swept,
                Ok(Err(error)) => tracing::warn!(%error, "the table of flows cannot be swept"),
                Err(error) => tracing::error!(%error, "the table of flows was not swept"),
            }
            // A full table takes a while: no more than a twentieth of the time.
            let pause = SWEEP_AGAIN.max(begin.elapsed() * 20);
            tokio::select! {
                () = sleep(pause) => {}
                () = self.changed.notified() => {}
            }
        }
    }

    fn sweep(&self) -> dataplane::Result<Swept> {
        let (known, backends) = {
            let inner = self.inner();
            (inner.pruned, inner.cuts.living())
        };
        let mut flows = self.flows.lock().unwrap_or_else(PoisonError::into_inner);
        flows.sweep(clock::since_boot_ns(), |key, flow| {
            // Connections end by themselves; datagrams would go to a backend that is gone for as long as they come.
            let is_cut = || match backends.get(&flow.port_id) {
                Some(left) => !left.contains(&(flow.destination, flow.destination_port_be)),
                None => known,
            };
            key.protocol == UDP && is_cut()
        })
    }
}
