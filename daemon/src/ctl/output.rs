//! The three ways of printing a document.

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// For people and programs.
    Yaml,
}

/// The document in this format; `table` makes the one for people.
pub fn print<T: Serialize>(
    format: Format,
    document: &T,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<String> {
    match format {
        Format::Table => Ok(table(document)),
        Format::Json => serde_json::to_string_pretty(document)
            .map(|text| text + "\n")
            .context("cannot write JSON"),
        Format::Yaml => serde_saphyr::to_string(document)
            .map_err(|error| anyhow::anyhow!("cannot write YAML: {error}"))
            .map(|text| text.trim_end().to_owned() + "\n"),
    }
}
