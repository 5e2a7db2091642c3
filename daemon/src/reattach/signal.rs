//! What makes the loop look.

/// Why a pass is made; the word in logs and in the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// The daemon has just started.
    Start,
    /// ovs-vswitchd died.
    VswitchdDied,
    /// ovs-vswitchd is there.
    VswitchdStarted,
    /// A device of the node's namespace appeared, changed or went away.
    Link,
    /// Events about devices were lost.
    LinksLost,
    /// Rows of the database changed.
    Database,
    /// The database answers again, or no more.
    DatabaseConnection,
    /// A record was written or removed.
    Record,
    /// Nothing has happened for a while.
    Timer,
    /// An earlier pass wanted a second look, or an error is tried again.
    Again,
}

impl Cause {
    /// The word in logs and in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Start => "start",
            Cause::VswitchdDied => "vswitchd-died",
            Cause::VswitchdStarted => "vswitchd-started",
            Cause::Link => "link",
            Cause::LinksLost => "links-lost",
            Cause::Database => "database",
            Cause::DatabaseConnection => "database-connection",
            Cause::Record => "record",
            Cause::Timer => "timer",
            Cause::Again => "again",
        }
    }
}

/// One signal: a cause, and the ports it is about where that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signal {
    /// Why.
    pub cause: Cause,
    /// The names of the ports; none stands for every record.
    pub ports: Option<Vec<String>>,
}

impl Signal {
    /// A signal that concerns everything.
    pub fn all(cause: Cause) -> Self {
        Self { cause, ports: None }
    }

    /// A signal about these ports.
    pub fn ports(cause: Cause, ports: Vec<String>) -> Self {
        Self {
            cause,
            ports: Some(ports),
        }
    }
}
