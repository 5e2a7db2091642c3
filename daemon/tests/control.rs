//! The daemon as a process: its socket, its lock, its settings, its end.

mod rig;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use anyhow::{Context, Result};
use attachment::Strategy;
use nix::sys::signal::Signal;
use rig::{LIMIT, Node, code, stderr, stdout};
use tests::traffic::TcpSession;

#[test]
fn the_control_socket_is_for_root_alone() -> Result<()> {
    let mut node = Node::bare()?;
    node.start()?;
    let mode = std::fs::metadata(node.socket())?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    Ok(())
}

#[test]
fn a_second_daemon_on_one_state_directory_is_refused() -> Result<()> {
    let mut node = Node::bare()?;
    node.start()?;
    let second = node
        .berthd(&["--healthz", "none", "--metrics", "none"])
        .output()?;
    assert_eq!(code(second.status), 1);
    let said = stderr(&second);
    assert!(
        said.contains("belongs to a running berthd, process "),
        "{said}"
    );
    assert!(said.contains(&node.state().display().to_string()), "{said}");
    node.status().context("the first still answers")?;
    Ok(())
}

#[test]
fn the_socket_of_a_killed_daemon_is_replaced() -> Result<()> {
    let mut node = Node::bare()?;
    node.start()?;
    assert_eq!(code(node.end(Signal::SIGKILL)?), -9);
    assert!(node.socket().exists(), "SIGKILL leaves the socket's file");
    node.start()?;
    node.await_healthy()
}

#[test]
fn sigterm_ends_it_in_order_and_pods_go_on() -> Result<()> {
    let mut node = Node::switched()?;
    let (a, b) = (
        node.attach(2, Strategy::Rename)?,
        node.attach(3, Strategy::Rename)?,
    );
    node.start()?;
    let session = TcpSession::start(&a.netns, &b.netns, b.address())?;
    assert_eq!(code(node.end(Signal::SIGTERM)?), 0);
    assert!(!node.socket().exists());
    session.await_progress(LIMIT)?;
    session.finish()?.intact()
}

/// A GET request inside the node's namespace: status line and body.
fn http(node: &Node, address: &str, path: &str) -> Result<(String, String)> {
    node.root.run(|| {
        let mut stream = TcpStream::connect(address)?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("an HTTP answer")?;
        let status = head.lines().next().unwrap_or_default();
        Ok((status.to_owned(), body.to_owned()))
    })
}

#[test]
fn health_and_metrics_are_served_on_the_port_that_was_picked() -> Result<()> {
    let mut node = Node::switched()?;
    let _pod = node.attach(2, Strategy::Rename)?;
    let more = ["--healthz", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
    node.start_with(&more)?;
    node.await_healthy()?;
    let status = node.status()?;
    let healthz = status["healthz"].as_str().context("healthz")?;
    let metrics = status["metrics"].as_str().context("metrics")?;
    for path in ["/healthz", "/livez", "/readyz"] {
        let (status, body) = http(&node, healthz, path)?;
        assert_eq!(
            (status.as_str(), body.as_str()),
            ("HTTP/1.1 200 OK", "ok\n")
        );
    }
    let (_, page) = http(&node, metrics, "/metrics")?;
    for line in [
        "berth_ports{strategy=\"rename\",state=\"ready\"} 1",
        "berth_ovsdb_connected 1",
        "berth_vswitchd_up 1",
        "# TYPE berth_reattach_seconds histogram",
    ] {
        assert!(page.lines().any(|l| l == line), "no {line:?} in {page}");
    }
    let (status, _) = http(&node, metrics, "/v1/status")?;
    assert_eq!(status, "HTTP/1.1 404 Not Found");

    node.ovs().kill_vswitchd()?;
    node.await_event("vswitchd-died")?;
    let (status, body) = http(&node, healthz, "/healthz")?;
    assert_eq!(status, "HTTP/1.1 503 Service Unavailable");
    assert!(body.contains("ovs-vswitchd does not run"), "{body}");
    let (status, _) = http(&node, healthz, "/livez")?;
    assert_eq!(status, "HTTP/1.1 200 OK");
    Ok(())
}

#[test]
fn wrong_settings_are_refused_with_field_value_and_source() -> Result<()> {
    let node = Node::bare()?;
    let file = node.directory.path().join("berth.toml");
    std::fs::write(&file, "pod-routes = \"flannel\"\n")?;
    let from_file = format!("pod-routes \"flannel\" (from file {}): ", file.display());
    let config = file.display().to_string();
    let refused = |arguments: &[&str], environment: &[(&str, &str)], expected: &str| {
        let mut command = node.berthd(arguments);
        let output = command.envs(environment.iter().copied()).output()?;
        assert_eq!(code(output.status), 1, "{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{}", stderr(&output));
        anyhow::Ok(())
    };
    refused(
        &["--services", "kubernetes"],
        &[],
        "services \"kubernetes\" (from the command line): the kubernetes source is not available yet",
    )?;
    refused(
        &[],
        &[("BERTH_SERVICES", "dir:m")],
        "services \"dir:m\" (from environment variable BERTH_SERVICES): must be an absolute path",
    )?;
    refused(&["--config", &config], &[], &from_file)?;
    refused(
        &["--resync", "soon"],
        &[],
        "resync \"soon\" (from the command line): must be a number of seconds",
    )?;
    assert!(!node.state().exists(), "nothing was changed");
    Ok(())
}

#[test]
fn both_programs_tell_version_abi_and_commit() -> Result<()> {
    for program in [env!("CARGO_BIN_EXE_berthd"), env!("CARGO_BIN_EXE_berthctl")] {
        let output = std::process::Command::new(program)
            .arg("--version")
            .output()?;
        let text = stdout(&output);
        assert!(text.contains(env!("CARGO_PKG_VERSION")), "{text}");
        assert!(text.contains("(abi 2, commit "), "{text}");
    }
    Ok(())
}
