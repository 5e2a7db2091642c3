//! What load balancers, kubelets and scrapers are told about Services: health-check ports, probes, metrics.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tests::netns::Netns;
use tests::wait;

use crate::rig::{LIMIT, NODE_V4, NODE_V6, Rig, service};

const PORT: u16 = 32000;

/// An answer over HTTP.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Without the body, in lower case.
    head: String,
    body: String,
}

/// Asks one question.
fn ask(mut stream: impl Read + Write, path: &str) -> Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: n1\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("no end of the head")?;
    let status = head.split(' ').nth(1).context("no status")?;
    Ok(Answer {
        status: status.parse()?,
        head: head.to_lowercase(),
        body: body.to_owned(),
    })
}

/// Asks the daemon, which answers by its control socket what it answers by its addresses.
fn probe(rig: &Rig, path: &str) -> Result<Answer> {
    ask(
        UnixStream::connect(rig.node.state_dir().join("berthd.sock"))?,
        path,
    )
}

/// Waits until the daemon has looked at everything once.
fn await_ready(rig: &Rig) -> Result<()> {
    wait::until_ok(LIMIT, "/readyz", || {
        let answer = probe(rig, "/readyz")?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(())
    })
}

/// Asks a health-check port from a namespace, as a load balancer would.
fn check(from: &Netns, to: &str, port: u16) -> Result<Answer> {
    let to = SocketAddr::new(to.parse::<IpAddr>()?, port);
    from.run(move || {
        let stream = TcpStream::connect_timeout(&to, Duration::from_secs(2))?;
        stream.set_read_timeout(Some(LIMIT))?;
        ask(stream, "/any/path?at=all")
    })
}

/// Waits until a port tells so many endpoints, in all it says.
fn await_told(from: &Netns, to: &str, local: usize, is_healthy: bool) -> Result<()> {
    let status = if local > 0 && is_healthy { 200 } else { 503 };
    let body = format!(
        r#"{{"service":{{"namespace":"default","name":"web"}},"localEndpoints":{local},"serviceProxyHealthy":{is_healthy}}}"#
    );
    wait::until_ok(LIMIT, &format!("{status} from {to}"), || {
        let answer = check(from, to, PORT)?;
        ensure!(
            (answer.status, &answer.body) == (status, &body),
            "{answer:?}"
        );
        for header in [
            "content-type: application/json".to_owned(),
            "x-content-type-options: nosniff".to_owned(),
            format!("x-load-balancing-endpoint-weight: {local}"),
        ] {
            let found = answer.head.lines().any(|line| line == header);
            ensure!(found, "no {header:?} in {answer:?}");
        }
        Ok(())
    })
}

/// Waits until nobody listens at a port.
fn await_refused(from: &Netns, to: &str, port: u16) -> Result<()> {
    wait::until_ok(LIMIT, &format!("{to} port {port} to be closed"), || {
        let error = match check(from, to, port) {
            Ok(answer) => bail!("{answer:?}"),
            Err(error) => error,
        };
        let kind = error
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        ensure!(
            kind == Some(std::io::ErrorKind::ConnectionRefused),
            "{error}"
        );
        Ok(())
    })
}

/// A Service that load balancers ask about, with more in its spec.
fn checked(more: &Value) -> Value {
    let mut web = service(
        "web",
        1,
        &json!({
            "type": "LoadBalancer", "externalTrafficPolicy": "Local", "healthCheckNodePort": PORT,
        }),
    );
    for (key, value) in more.as_object().into_iter().flatten() {
        web["spec"][key] = value.clone();
    }
    web
}

/// Row 10: status, headers and body as kube-proxy has them, of endpoints that are here and ready alone; and no
/// listener outlives what it was for.
#[test]
fn a_load_balancer_is_told_of_local_endpoints_and_no_listener_is_left() -> Result<()> {
    let rig = Rig::new(3)?;
    let client = rig.node.add_pod("balancer")?;
    let from = &client.netns;
    let set = |more: &Value| rig.write("web.yaml", &[checked(more)]);
    let mut v4 = rig.slice("web", true, &[0, 1, 2]);
    v4["endpoints"][2]["nodeName"] = json!("n2");
    rig.write("v4.yaml", &[v4.clone()])?;
    rig.write("v6.yaml", &[rig.slice("web", false, &[0])])?;
    await_refused(from, NODE_V4, PORT)?;
    set(&json!({}))?;
    await_told(from, NODE_V4, 2, true)?;
    await_told(from, NODE_V6, 1, true)?;

    // Who is leaving takes what comes, but asks for no more.
    let leaving = json!({"ready": false, "serving": true, "terminating": true});
    v4["endpoints"][0]["conditions"] = leaving.clone();
    rig.write("v4.yaml", &[v4.clone()])?;
    await_told(from, NODE_V4, 1, true)?;
    v4["endpoints"][1]["conditions"] = leaving;
    rig.write("v4.yaml", &[v4])?;
    await_told(from, NODE_V4, 0, true)?;

    // An address that takes NodePorts from now on.
    let later = "192.0.2.11";
    rig.node
        .netns
        .sh(&format!("ip addr add {later}/32 dev lo"))?;
    await_told(from, later, 0, true)?;
    rig.node
        .netns
        .sh(&format!("ip addr del {later}/32 dev lo"))?;

    // Another port, another policy, another type, and none.
    set(&json!({"healthCheckNodePort": PORT + 1}))?;
    await_refused(from, NODE_V4, PORT)?;
    wait::until_ok(LIMIT, "the other port", || check(from, NODE_V4, PORT + 1))?;
    for other in [
        json!({"externalTrafficPolicy": "Cluster"}),
        json!({"type": "NodePort"}),
    ] {
        set(&other)?;
        await_refused(from, NODE_V4, PORT + 1)?;
        set(&json!({}))?;
        await_told(from, NODE_V4, 0, true)?;
        set(&other)?;
        await_refused(from, NODE_V4, PORT)?;
    }
    set(&json!({}))?;
    await_told(from, NODE_V6, 1, true)?;
    std::fs::remove_file(rig.manifests.path().join("web.yaml"))?;
    for to in [NODE_V4, NODE_V6] {
        await_refused(from, to, PORT)?;
        await_refused(from, to, PORT + 1)?;
    }
    rig.node.del_pod(client)?;
    rig.finish()
}

/// A port that another program has is told with its Service, leaves the rest alone, and is taken once it is free.
#[test]
fn a_health_check_port_in_use_is_told_and_taken_when_it_is_free() -> Result<()> {
    let rig = Rig::new(1)?;
    let from = &rig.node.netns;
    let place = SocketAddr::new(NODE_V4.parse()?, PORT);
    let other = from.run(|| Ok(TcpListener::bind(place)?))?;
    rig.write(
        "web.yaml",
        &[checked(&json!({})), rig.slice("web", true, &[0])],
    )?;
    // The libraries of C say it each in their own words.
    let line = format!("spec.healthCheckNodePort: {place}: Address ");
    wait::until_ok(LIMIT, "the port to be told of", || {
        let (services, status) = (rig.ask("services")?, rig.ask("status")?);
        let told = format!("Service default/web: {line}");
        for problems in [&services["problems"], &status["problems"]] {
            let problems = problems.to_string();
            ensure!(problems.contains(&told), "{problems}");
            ensure!(problems.contains("in use (os error 98)"), "{problems}");
        }
        let refused = &services["services"][0]["refused"];
        ensure!(refused.to_string().contains(&line), "{services}");
        Ok(())
    })?;
    // Its port is served at the other address, and its connections anyway.
    await_told(from, NODE_V6, 0, true)?;
    rig.await_answers(from, ("tcp", "10.96.0.1", 80), |line| {
        line.starts_with("b0")
    })?;
    drop(other);
    await_told(from, NODE_V4, 1, true)?;
    wait::until_ok(LIMIT, "the problem to be gone", || {
        let problems = rig.ask("services")?["problems"].to_string();
        ensure!(problems == "[]", "{problems}");
        Ok(())
    })?;
    rig.finish()
}

/// Row 19: a node on its way out is taken out of load balancers, and its daemon is not restarted for it.
#[test]
fn a_node_on_its_way_out_fails_healthz_and_not_livez() -> Result<()> {
    let rig = Rig::new(1)?;
    rig.write(
        "web.yaml",
        &[checked(&json!({})), rig.slice("web", true, &[0])],
    )?;
    await_ready(&rig)?;
    let taint = |key: &str| json!({"spec": {"taints": [{"key": key, "effect": "NoSchedule"}]}});
    let table = [
        (json!({}), None),
        (
            taint("ToBeDeletedByClusterAutoscaler"),
            Some("node n1 takes nothing new: the cluster autoscaler is about to remove it"),
        ),
        (taint("somebody/elses"), None),
        (
            json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}),
            Some("node n1 takes nothing new: it is being deleted"),
        ),
        (json!({}), None),
    ];
    for (more, problem) in table {
        let mut node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}});
        for part in ["metadata", "spec"] {
            for (key, value) in more[part].as_object().into_iter().flatten() {
                node[part][key] = value.clone();
            }
        }
        rig.write("node.yaml", &[node])?;
        await_told(&rig.node.netns, NODE_V4, 1, problem.is_none())?;
        let healthz = probe(&rig, "/healthz")?;
        match problem {
            Some(problem) => ensure!(
                healthz.status == 503 && healthz.body.contains(problem),
                "{healthz:?}"
            ),
            None => ensure!(healthz.status == 200, "{healthz:?}"),
        }
        for path in ["/livez", "/readyz"] {
            let answer = probe(&rig, path)?;
            ensure!(answer.status == 200, "{path}: {answer:?}");
        }
        let problems = rig.ask("status")?["problems"].to_string();
        ensure!(problems.contains(problem.unwrap_or("[]")), "{problems}");
    }
    rig.finish()
}

/// Row 20: what is measured under kube-proxy's names.
#[test]
fn metrics_have_kube_proxys_names() -> Result<()> {
    let rig = Rig::new(1)?;
    let value = |name: &str| -> Result<f64> {
        let page = probe(&rig, "/metrics")?.body;
        let mut lines = page.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line
            .with_context(|| format!("no {name} in {page}"))?
            .parse()?)
    };
    let (writes, last, queued) = (
        "kubeproxy_sync_proxy_rules_duration_seconds_count",
        "kubeproxy_sync_proxy_rules_last_timestamp_seconds",
        "kubeproxy_sync_proxy_rules_last_queued_timestamp_seconds",
    );
    let network = "kubeproxy_network_programming_duration_seconds";
    ensure!(value(writes)? == 0.0 && value(queued)? == 0.0 && value(last)? > 0.0);
    await_ready(&rig)?;
    probe(&rig, "/healthz")?;
    ensure!(value("kubeproxy_proxy_healthz_total{code=\"200\"}")? == 1.0);

    let now = rig.node.netns.sh("date -u +%Y-%m-%dT%H:%M:%S.%NZ")?;
    let mut slice = rig.slice("web", true, &[0]);
    slice["metadata"]["annotations"] =
        json!({"endpoints.kubernetes.io/last-change-trigger-time": now});
    rig.write("web.yaml", &[checked(&json!({})), slice])?;
    await_told(&rig.node.netns, NODE_V4, 1, true)?;
    ensure!(value(writes)? >= 1.0);
    ensure!(value("kubeproxy_sync_proxy_rules_service_changes_total")? == 1.0);
    ensure!(value("kubeproxy_sync_proxy_rules_endpoint_changes_total")? == 1.0);
    ensure!(value(&format!("{network}_count"))? == 1.0);
    ensure!(value(&format!("{network}_bucket{{le=\"300\"}}"))? == 1.0);
    ensure!(value(queued)? > 0.0 && value(last)? >= value(queued)?);
    rig.finish()
}
