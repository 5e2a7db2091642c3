//! Runs a CNI plugin as a container runtime does: environment, configuration on standard input, JSON back.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::netns::{Entrance, Netns};

/// One request to one plugin; clone and change it to make others.
#[derive(Clone, Debug)]
pub struct Cni {
    program: PathBuf,
    node: Entrance,
    environment: BTreeMap<OsString, OsString>,
    absent: Vec<OsString>,
    config: Vec<u8>,
    wrapper: Vec<OsString>,
}

/// What a plugin answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Exit status; `None` when a signal ended it.
    pub status: Option<i32>,
    /// Standard output as JSON, if it is that; `None` when it is empty or something else.
    pub json: Option<Value>,
    /// Standard output as it came.
    pub stdout: String,
    /// Standard error: the log.
    pub stderr: String,
}

/// The error object of the CNI specification.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Failure {
    /// The version of the error's shape.
    #[serde(rename = "cniVersion", default)]
    pub cni_version: String,
    /// The error code.
    pub code: u32,
    /// The message.
    pub msg: String,
    /// What else is known.
    #[serde(default)]
    pub details: String,
}

impl Cni {
    /// A request to `program`, run in the namespace of `node`, for container `container` whose namespace is
    /// `pod` and whose interface is `eth0`; `CNI_PATH` is the directory of the program.
    pub fn new(program: &Path, node: &Netns, container: &str, pod: &Path, config: &Value) -> Self {
        let directory = program.parent().unwrap_or(Path::new("/"));
        let cni = Cni {
            program: program.to_owned(),
            node: node.entrance(),
            environment: BTreeMap::new(),
            absent: Vec::new(),
            config: config.to_string().into_bytes(),
            wrapper: Vec::new(),
        };
        cni.env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", pod)
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", directory)
    }

    /// With an environment variable set.
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// Without an environment variable.
    pub fn without(mut self, name: &str) -> Self {
        self.environment.remove(&OsString::from(name));
        self.absent.push(name.into());
        self
    }

    /// For another interface.
    pub fn ifname(self, name: &str) -> Self {
        self.env("CNI_IFNAME", name)
    }

    /// With another configuration.
    pub fn config(mut self, config: &Value) -> Self {
        self.config = config.to_string().into_bytes();
        self
    }

    /// With these very bytes on standard input, JSON or not.
    pub fn raw_config(mut self, config: impl Into<Vec<u8>>) -> Self {
        self.config = config.into();
        self
    }

    /// Run by another program, as `strace -f -o FILE`: its words, put before the plugin.
    pub fn wrapped(mut self, words: &[&str]) -> Self {
        self.wrapper = words.iter().map(OsString::from).collect();
        self
    }

    /// The process to be, for `CNI_COMMAND=verb`; its standard input still wants [`Cni::input`].
    pub fn command(&self, verb: &str) -> Command {
        self.describe(verb, |node, program| node.command(program))
    }

    fn describe(&self, verb: &str, make: impl Fn(&Entrance, &OsStr) -> Command) -> Command {
        let mut command = match self.wrapper.split_first() {
            Some((first, rest)) => {
                let mut command = make(&self.node, first);
                command.args(rest).arg(&self.program);
                command
            }
            None => make(&self.node, self.program.as_os_str()),
        };
        command.env("CNI_COMMAND", verb).envs(&self.environment);
        for name in &self.absent {
            command.env_remove(name);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The bytes that go to standard input.
    pub fn input(&self) -> &[u8] {
        &self.config
    }

    /// Runs the plugin with `CNI_COMMAND=verb` to its end.
    ///
    /// # Errors
    /// When it cannot be started; what it answers is never an error here.
    pub fn call(&self, verb: &str) -> Result<Answer> {
        let mut command = self.describe(verb, |node, program| node.tool(program));
        let mut child = self
            .node
            .run(|| Ok(command.spawn()?))
            .with_context(|| format!("cannot run {}", self.program.display()))?;
        let mut input = child
            .stdin
            .take()
            .context("the plugin has no standard input")?;
        let config = self.config.clone();
        // A plugin that answers before it has read everything closes the pipe: no failure of the test.
        let writer = std::thread::spawn(move || input.write_all(&config).ok());
        let output = child
            .wait_with_output()
            .context("the plugin cannot be waited for")?;
        writer.join().ok();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Answer {
            status: output.status.code(),
            json: serde_json::from_str(&stdout).ok(),
            stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// ADD; the result it printed.
    ///
    /// # Errors
    /// When the plugin answers an error or no JSON.
    pub fn add(&self) -> Result<Value> {
        let answer = self.call("ADD")?.success()?;
        answer
            .json
            .clone()
            .with_context(|| format!("ADD printed no JSON: {answer:?}"))
    }

    /// DEL.
    ///
    /// # Errors
    /// When the plugin answers an error.
    pub fn del(&self) -> Result<Answer> {
        self.call("DEL")?.success()
    }

    /// CHECK; the configuration must carry `prevResult`.
    ///
    /// # Errors
    /// When the plugin answers an error.
    pub fn check(&self) -> Result<Answer> {
        self.call("CHECK")?.success()
    }

    /// GC; the configuration must carry `cni.dev/valid-attachments`.
    ///
    /// # Errors
    /// When the plugin answers an error.
    pub fn gc(&self) -> Result<Answer> {
        self.call("GC")?.success()
    }

    /// STATUS.
    ///
    /// # Errors
    /// When the plugin answers an error.
    pub fn status(&self) -> Result<Answer> {
        self.call("STATUS")?.success()
    }
}

impl Answer {
    /// The answer itself if the plugin succeeded.
    ///
    /// # Errors
    /// When it failed: the message has the status, the error object and the log.
    pub fn success(self) -> Result<Self> {
        match self.status {
            Some(0) => Ok(self),
            _ => bail!(
                "the plugin failed ({:?}): {} {}",
                self.status,
                self.stdout.trim(),
                self.stderr.trim()
            ),
        }
    }

    /// The error object of a plugin that failed.
    ///
    /// # Errors
    /// When it succeeded, or printed no error object.
    pub fn failure(&self) -> Result<Failure> {
        if self.status == Some(0) {
            bail!(
                "the plugin succeeded where it had to fail: {}",
                self.stdout.trim()
            );
        }
        serde_json::from_str(&self.stdout).with_context(|| {
            format!(
                "no error object: {:?}, log: {}",
                self.stdout,
                self.stderr.trim()
            )
        })
    }
}
