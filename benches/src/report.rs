//! What a bench prints: tables with their setting, as aligned text, Markdown and JSON.
//!
//! The three come from the same cells, so a published table cannot differ from
//! the measured one. JSON carries the unrounded numbers in the unit that the
//! column's cells are named by.

use anyhow::Context;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

mod table;

pub use table::{Cell, Table};

/// All tables of one run, and the setting they were measured in.
#[derive(Debug)]
pub struct Report {
    title: String,
    setting: Vec<(String, String)>,
    tables: Vec<Table>,
    out: Option<PathBuf>,
}

impl Report {
    /// A report that is kept as `<out>.json` and `<out>.md`, if `out` is given; prints its heading.
    pub fn new(title: &str, setting: Vec<(String, String)>, out: Option<PathBuf>) -> Self {
        println!("{title}");
        for (name, value) in &setting {
            println!("  {name}: {value}");
        }
        println!();
        Self {
            title: title.to_owned(),
            setting,
            tables: Vec::new(),
            out,
        }
    }

    /// Print the table and keep it.
    ///
    /// Files are rewritten each time: what is measured is not lost when a later part fails.
    pub fn add(&mut self, table: Table) -> anyhow::Result<()> {
        println!("{}", table.text());
        self.tables.push(table);
        let Some(out) = &self.out else { return Ok(()) };
        if let Some(folder) = out.parent().filter(|f| !f.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        write(&beside(out, "json"), &format!("{:#}\n", self.json()))?;
        write(&beside(out, "md"), &self.markdown())
    }

    fn json(&self) -> Value {
        let setting = self
            .setting
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)));
        json!({
            "title": self.title,
            "setting": Value::Object(setting.collect()),
            "tables": self.tables.iter().map(Table::json).collect::<Vec<_>>(),
        })
    }

    fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n", self.title);
        for (name, value) in &self.setting {
            out.push_str(&format!("- {name}: {value}\n"));
        }
        for table in &self.tables {
            out.push('\n');
            out.push_str(&table.markdown());
        }
        out
    }
}

/// `out` with one more ending: a dot in its own name is no ending to replace.
fn beside(out: &Path, ending: &str) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_stand_beside_each_other() {
        assert_eq!(
            beside(Path::new("/a/cni-6.12"), "md"),
            PathBuf::from("/a/cni-6.12.md")
        );
    }
}
