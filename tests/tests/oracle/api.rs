//! The real API server over the real etcd, and what is asked of it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::netns::Netns;
use tests::wait;

/// Environment variable with the directory of etcd, kube-apiserver and kube-proxy.
pub const VARIABLE: &str = "BERTH_KUBE_DIR";

/// The server's address on its cable, and the node's.
const SERVER: &str = "198.18.0.1";
pub const NODE: &str = "198.18.0.2";

/// How long a program may take to start on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

/// Whoever has it may do everything; nobody else is on that cable.
const TOKEN: &str = "oracle";

/// A program of the real thing, ended with the value that holds it, or with the thread that started it.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts `name` in a namespace; what it says is kept in `directory`.
    pub fn start(
        netns: &Netns,
        name: &str,
        directory: &Path,
        arguments: &[String],
    ) -> Result<Self> {
        let home = std::env::var_os(VARIABLE)
            .with_context(|| format!("{VARIABLE} is not set: run make test-oracle"))?;
        let log = directory.join(format!("{name}.log"));
        let file = File::create(&log)?;
        let mut command: Command = netns.command("setpriv");
        command
            .args(["--pdeathsig", "KILL"])
            .arg(Path::new(&home).join(name))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        Ok(Self { child, log })
    }

    /// An error with its last words when it has ended.
    pub fn check(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("it ended with {status}: {}", self.said());
        }
        Ok(())
    }

    /// The end of its log.
    pub fn said(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It throws its state away: nothing to end in good order.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A running API server with nothing in it but what it makes itself.
pub struct Api {
    server: Program,
    _etcd: Program,
    netns: Netns,
    directory: TempDir,
}

impl Api {
    /// Starts etcd and the server, and waits until it is ready.
    pub fn start() -> Result<Self> {
        let netns = Netns::new("api")?;
        // On lo, so that it is there before any cable is.
        netns.sh(&format!("ip addr add {SERVER}/32 dev lo"))?;
        let directory = tempfile::Builder::new().prefix("berth-oracle-").tempdir()?;
        let path = |name: &str| directory.path().join(name).display().to_string();
        fs::write(path("tokens"), format!("{TOKEN},oracle,1,system:masters\n"))?;
        netns.sh(&format!(
            "openssl genrsa -out {key} 2048 2>/dev/null && openssl rsa -in {key} -pubout -out {key}.pub 2>/dev/null",
            key = path("accounts")
        ))?;
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{SERVER}:6443"), "insecure-skip-tls-verify": true,
            }}],
            "users": [{"name": "c", "user": {"token": TOKEN}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}],
        });
        fs::write(path("kubeconfig"), kubeconfig.to_string())?;
        #[rustfmt::skip]
        let etcd = [
            "--data-dir", &path("etcd"), "--unsafe-no-fsync", "--log-level", "warn",
            "--listen-client-urls", "http://127.0.0.1:2379", "--advertise-client-urls", "http://127.0.0.1:2379",
            "--listen-peer-urls", "http://127.0.0.1:2380",
        ].map(str::to_owned);
        let etcd = Program::start(&netns, "etcd", directory.path(), &etcd)?;
        let server = [
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            format!("--advertise-address={SERVER}"),
            format!("--cert-dir={}", path("certificates")),
            "--service-cluster-ip-range=10.96.0.0/16,fd00:96::/108".to_owned(),
            format!("--token-auth-file={}", path("tokens")),
            "--authorization-mode=AlwaysAllow".to_owned(),
            format!("--service-account-key-file={}", path("accounts.pub")),
            format!("--service-account-signing-key-file={}", path("accounts")),
            "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
            "--profiling=false".to_owned(),
        ];
        let server = Program::start(&netns, "kube-apiserver", directory.path(), &server)?;
        let mut api = Self {
            server,
            _etcd: etcd,
            netns,
            directory,
        };
        wait::until_ok(LIMIT, "the API server to be ready", || {
            let ready = api.call("GET", "/readyz", None);
            if ready.is_err() {
                // No use in waiting for what has ended.
                api.server.check()?;
            }
            ready
        })?;
        Ok(api)
    }

    /// Lays a cable to a node.
    pub fn plug(&self, node: &Netns) -> Result<()> {
        self.netns.sh(&format!(
            "ip link add api0 type veth peer name api0 netns {} && ip link set api0 up && \
             ip route add {NODE} dev api0 src {SERVER}",
            node.path().display()
        ))?;
        node.sh(&format!(
            "ip addr add {NODE}/30 dev api0 && ip link set api0 up"
        ))?;
        Ok(())
    }

    /// The file that tells a client where the server is.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// Where the programs' logs are, and more may go.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// One request; the answer as JSON, or as a string when it is none.
    fn call(&self, method: &str, path: &str, patch: Option<(&str, &Value)>) -> Result<Value> {
        let mut words = vec![
            "-sSk".to_owned(),
            "--max-time".to_owned(),
            "30".to_owned(),
            "-X".to_owned(),
            method.to_owned(),
            "-H".to_owned(),
            format!("Authorization: Bearer {TOKEN}"),
            "-w".to_owned(),
            "\n%{http_code}".to_owned(),
        ];
        if let Some((kind, body)) = patch {
            words.extend(["-H".to_owned(), format!("Content-Type: application/{kind}")]);
            words.extend(["--data-binary".to_owned(), body.to_string()]);
        }
        words.push(format!("https://{SERVER}:6443{path}"));
        let printed = self.netns.output("curl", words)?;
        let (answer, status) = printed.rsplit_once('\n').context("no status")?;
        ensure!(
            status.starts_with('2'),
            "{method} {path}: {status} {answer}"
        );
        Ok(serde_json::from_str(answer).unwrap_or_else(|_| json!(answer)))
    }

    /// Makes an object, or makes it what is given; its status, too.
    pub fn apply(&self, object: &Value) -> Result<()> {
        let path = path_of(object)?;
        let mut spec = object.clone();
        let status = spec
            .as_object_mut()
            .and_then(|fields| fields.remove("status"));
        // Creates or changes, and takes away what was applied before and is not any more.
        let whole = format!("{path}?fieldManager=oracle&force=true");
        self.call("PATCH", &whole, Some(("apply-patch+yaml", &spec)))?;
        if let Some(status) = status {
            let part = json!({"status": status});
            let path = format!("{path}/status");
            self.call("PATCH", &path, Some(("merge-patch+json", &part)))?;
        }
        Ok(())
    }

    /// Deletes an object.
    pub fn delete(&self, object: &Value) -> Result<()> {
        self.call("DELETE", &path_of(object)?, None).map(drop)
    }
}

/// Where the API has an object.
pub fn path_of(object: &Value) -> Result<String> {
    let name = object["metadata"]["name"].as_str().context("no name")?;
    Ok(match object["kind"].as_str() {
        Some("Node") => format!("/api/v1/nodes/{name}"),
        Some("Service") => format!("/api/v1/namespaces/default/services/{name}"),
        Some("EndpointSlice") => {
            format!("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/{name}")
        }
        kind => bail!("what is a {kind:?}?"),
    })
}
