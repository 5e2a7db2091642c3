//! The daemon's settings: every one is a flag, an environment variable and a key of the file given by `--config`.
//!
//! The table in [`field`] is the one place that names them; the command line, the environment, the file and the help
//! text are all made from it. A flag wins over the environment, the environment over the file, the file over the
//! default, field by field.

mod command;
mod error;
mod field;
mod file;
mod layer;
mod settings;
mod value;

pub use command::{Invocation, Verb, command, parse};
pub use error::ConfigError;
pub use field::{FIELDS, Field};
pub use layer::{Given, Layer, Origin};
pub use settings::{Cgroup, PodRoutes, Services, Settings};
