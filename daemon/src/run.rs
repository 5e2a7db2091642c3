//! The daemon from its settings to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dataplane::pins::Pins;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::api::{
    ApiError, Claim, ClaimError, Source, Surface, bind_control, bind_tcp, serve_control, serve_tcp,
};
use crate::board::{Board, Identity};
use crate::config::{Cgroup, Services, Settings};
use crate::doctor::Scope;
use crate::reattach::{Reattach, StartError};
use crate::report::EventKind;
use crate::services::packet::Wanted;
use crate::services::program::{self, ProgramError, Setup};
use crate::services::source::Directory;
use crate::services::{cgroup, cut, health_port};
use crate::version;

/// How long the control socket waits for the first pass: whoever waits for the socket then finds a daemon that has
/// looked at everything, but one whose first look takes long can still be asked.
const FIRST_PASS: Duration = Duration::from_secs(2);

/// Why the daemon cannot run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// the state directory cannot be had
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// a socket cannot be opened
    #[error(transparent)]
    Api(#[from] ApiError),
    /// the loop cannot start
    #[error(transparent)]
    Start(#[from] StartError),
    /// Services cannot be programmed
    #[error(transparent)]
    Services(#[from] ProgramError),
    /// there is no place for socket programs
    #[error(transparent)]
    Cgroup(#[from] cgroup::NoCgroup),
    /// signals cannot be received
    #[error("cannot receive signals: {0}")]
    Signals(std::io::Error),
}

/// Runs until SIGTERM or SIGINT. Everything stays as it is then, and the next start goes on from there.
pub async fn run(settings: Settings) -> Result<(), RunError> {
    // Before anything else, so that a SIGTERM in the middle of the start ends it in order as well.
    let mut terminate = signal(SignalKind::terminate()).map_err(RunError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(RunError::Signals)?;
    let claim = Claim::take(&settings.state_dir)?;
    let healthz = bind("healthz", settings.healthz).await?;
    let metrics = bind("metrics", settings.metrics).await?;
    let board = Arc::new(Board::new(
        Identity {
            node: settings.node_name.clone(),
            state_dir: settings.state_dir.display().to_string(),
            healthz: healthz.as_ref().map(|(_, address)| address.to_string()),
            metrics: metrics.as_ref().map(|(_, address)| address.to_string()),
        },
        &settings.ovsdb.display().to_string(),
    ));
    tracing::info!(
        version = version::LONG,
        node = settings.node_name,
        state_dir = %settings.state_dir.display(),
        ovsdb = %settings.ovsdb.display(),
        healthz = ?healthz.as_ref().map(|(_, address)| address),
        metrics = ?metrics.as_ref().map(|(_, address)| address),
        "berthd starts"
    );
    board.event(EventKind::Started, "berthd", version::LONG, None);
    let source = Source {
        board: board.clone(),
        scope: Arc::new(Scope {
            state_dir: settings.state_dir.clone(),
            ovsdb: settings.ovsdb.clone(),
            ipam_dir: settings.ipam_dir.clone(),
            cni_dir: settings.cni_conf_dir.clone(),
        }),
    };
    let services = services(&settings).await?;
    board.set_services(services.clone());
    let mut servers = JoinSet::new();
    if let (Some(services), Services::Directory(path)) = (services, &settings.services) {
        servers.spawn(health_port::listen::keep(services.pulse().clone()));
        servers.spawn(cut::follow(services.clone()));
        servers.spawn(services.follow(Directory::new(path)));
    }
    if let Some((listener, _)) = healthz {
        servers.spawn(serve_tcp(listener, source.clone(), Surface::Health));
    }
    if let Some((listener, _)) = metrics {
        servers.spawn(serve_tcp(listener, source.clone(), Surface::Metrics));
    }
    let work = async {
        let reattach = Reattach::start(&settings, board.clone()).await?;
        reattach.run().await;
        Ok(())
    };
    let control = async {
        // Either is good: see the constant.
        let _ = tokio::time::timeout(FIRST_PASS, board.pass_ended.notified()).await;
        let control = bind_control(&claim, &settings.state_dir)?;
        serve_control(control, source).await;
        Ok(())
    };
    let (work, control) = (pin!(work), pin!(control));
    tokio::select! {
        ended = work => ended,
        ended = control => ended,
        _ = terminate.recv() => {
            tracing::info!("SIGTERM: berthd ends and leaves everything in place");
            Ok(())
        }
        _ = interrupt.recv() => {
            tracing::info!("SIGINT: berthd ends and leaves everything in place");
            Ok(())
        }
    }
}

/// Loads and attaches the Service programs, if Services are wanted.
async fn services(settings: &Settings) -> Result<Option<Arc<program::Services>>, RunError> {
    let Services::Directory(path) = &settings.services else {
        if Pins::new(&settings.bpf_dir).exist() {
            tracing::warn!(
                bpf_dir = %settings.bpf_dir.display(),
                "Service programs of an earlier run are in force and nobody keeps their tables: berthd uninstall removes them"
            );
        }
        return Ok(None);
    };
    let setup = Setup {
        node_name: settings.node_name.clone(),
        source: format!("dir:{}", path.display()),
        bpf_dir: settings.bpf_dir.clone(),
        cgroup: match &settings.cgroup {
            Cgroup::Off => None,
            Cgroup::Root => Some(cgroup::root()?),
            Cgroup::At(path) => Some(path.clone()),
        },
        node_port_addresses: settings.node_port_addresses.clone(),
        packets: Wanted {
            uplinks: settings.uplinks.clone(),
            xdp: settings.xdp,
            cluster: settings.cluster_cidrs.clone(),
            state_dir: settings.state_dir.clone(),
        },
    };
    Ok(Some(Arc::new(program::Services::start(setup).await?)))
}

async fn bind(
    setting: &'static str,
    address: Option<SocketAddr>,
) -> Result<Option<(TcpListener, SocketAddr)>, ApiError> {
    match address {
        Some(address) => bind_tcp(setting, address).await.map(Some),
        None => Ok(None),
    }
}
