//! A plugin run as an IPAM delegate is, and the store it works on.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// A program under test.
#[derive(Clone)]
pub struct Plugin {
    pub name: &'static str,
    pub program: PathBuf,
    pub _links: Option<Arc<tempfile::TempDir>>,
}

/// What a plugin said.
#[derive(Debug)]
pub struct Answer {
    pub ended: Option<i32>,
    pub json: Value,
}

impl Plugin {
    pub fn call(
        &self,
        verb: &str,
        id: &str,
        ifname: &str,
        config: &Value,
        args: &str,
    ) -> Result<Answer> {
        self.wrapped(&[], verb, id, ifname, config, args)
    }

    pub fn wrapped(
        &self,
        wrapper: &[&str],
        verb: &str,
        id: &str,
        ifname: &str,
        config: &Value,
        args: &str,
    ) -> Result<Answer> {
        let mut words = wrapper
            .iter()
            .map(Into::into)
            .chain([self.program.clone().into_os_string()]);
        let mut command = Command::new(words.next().context("a program")?);
        command
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
            .env("CNI_COMMAND", verb)
            .env("CNI_CONTAINERID", id)
            .env("CNI_IFNAME", ifname);
        command
            .env("CNI_NETNS", "/some/where")
            .env("CNI_PATH", "/nowhere")
            .env("CNI_ARGS", args);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot run {command:?}"))?;
        // A killed one does not read it.
        let _ = child
            .stdin
            .take()
            .context("stdin")?
            .write_all(config.to_string().as_bytes());
        let output = child.wait_with_output()?;
        let json = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        Ok(Answer {
            ended: output.status.code(),
            json,
        })
    }

    /// ADD that must work: its addresses with prefix lengths, v4 first.
    pub fn add(&self, id: &str, config: &Value, args: &str) -> Result<Vec<String>> {
        let answer = self.call("ADD", id, "eth0", config, args)?;
        ensure!(answer.ended == Some(0), "ADD of {id} failed: {answer:?}");
        Ok(addresses(&answer.json))
    }

    /// ADD that must fail: its message.
    pub fn refuse(&self, id: &str, config: &Value, args: &str) -> Result<String> {
        let answer = self.call("ADD", id, "eth0", config, args)?;
        ensure!(
            answer.ended == Some(1),
            "ADD of {id} should have failed: {answer:?}"
        );
        ensure!(
            answer.json["code"].as_u64().is_some_and(|code| code > 0),
            "no code in {answer:?}"
        );
        let message = format!(
            "{} {}",
            answer.json["msg"].as_str().unwrap_or_default(),
            answer.json["details"].as_str().unwrap_or_default()
        );
        Ok(message)
    }

    pub fn del(&self, id: &str, ifname: &str, config: &Value) -> Result<()> {
        let answer = self.call("DEL", id, ifname, config, "")?;
        ensure!(answer.ended == Some(0), "DEL of {id} failed: {answer:?}");
        Ok(())
    }
}

/// The addresses of a result of any version.
pub fn addresses(result: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    match result["ips"].as_array() {
        Some(ips) => ips.iter().filter_map(|ip| text(&ip["address"])).collect(),
        None => ["ip4", "ip6"]
            .iter()
            .filter_map(|family| text(&result[*family]["ip"]))
            .collect(),
    }
}

/// A store of its own.
pub struct Store(pub tempfile::TempDir);

impl Store {
    pub fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub fn config(&self, version: &str, mut ipam: Value) -> Value {
        ipam["type"] = "host-local".into();
        ipam["dataDir"] = self.0.path().join("networks").display().to_string().into();
        json!({"cniVersion": version, "name": "mynet", "type": "ipvlan", "master": "foo0", "ipam": ipam})
    }

    pub fn network(&self) -> PathBuf {
        self.0.path().join("networks/mynet")
    }

    /// Files and contents, without the lock; file names of addresses are the leases.
    pub fn files(&self) -> Result<BTreeMap<String, String>> {
        let mut files = BTreeMap::new();
        if self.network().exists() {
            for entry in fs::read_dir(self.network())? {
                let entry = entry?;
                files.insert(
                    entry.file_name().to_string_lossy().into_owned(),
                    fs::read_to_string(entry.path())?,
                );
            }
        }
        files.remove("lock");
        Ok(files)
    }

    pub fn leases(&self) -> Result<BTreeMap<String, String>> {
        let mut files = self.files()?;
        files.retain(|name, _| !name.starts_with("last_reserved_ip."));
        Ok(files)
    }
}
