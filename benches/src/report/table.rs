//! A table: cells with units, shown as aligned text, as Markdown and as JSON.

use serde_json::{Map, Value, json};

/// One value of a table, in a stated unit.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// A name or a remark.
    Text(String),
    /// A number of things.
    Count(u64),
    /// Milliseconds.
    Millis(f64),
    /// Microseconds.
    Micros(f64),
    /// A quotient without unit.
    Ratio(f64),
    /// Mebibytes.
    Mebibytes(f64),
    /// Gigabits each second.
    Gigabits(f64),
    /// Something each second.
    Rate(f64),
    /// Not measured, or without meaning here.
    Nothing,
}

impl Cell {
    /// A cell of the value if there is one.
    pub fn of(make: fn(f64) -> Self, value: Option<f64>) -> Self {
        value.map_or(Self::Nothing, make)
    }

    fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Count(count) => json!(count),
            Self::Millis(v) => json!({ "ms": v }),
            Self::Micros(v) => json!({ "us": v }),
            Self::Ratio(v) => json!({ "ratio": v }),
            Self::Mebibytes(v) => json!({ "MiB": v }),
            Self::Gigabits(v) => json!({ "gbit_per_s": v }),
            Self::Rate(v) => json!({ "per_s": v }),
            Self::Nothing => Value::Null,
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl std::fmt::Display for Cell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Count(count) => write!(f, "{count}"),
            Self::Millis(v) if *v >= 100.0 => write!(f, "{v:.0} ms"),
            Self::Millis(v) => write!(f, "{v:.1} ms"),
            Self::Micros(v) => write!(f, "{v:.2} µs"),
            Self::Ratio(v) => write!(f, "{v:.3}"),
            Self::Mebibytes(v) => write!(f, "{v:.1} MiB"),
            Self::Gigabits(v) => write!(f, "{v:.3} Gbit/s"),
            Self::Rate(v) => write!(f, "{v:.0}/s"),
            Self::Nothing => f.write_str("–"),
        }
    }
}

/// One measurement's table.
#[derive(Clone, Debug)]
pub struct Table {
    /// What was measured.
    pub title: String,
    /// How, and what to compare it with: repeats, goal, order of the runs.
    pub notes: Vec<String>,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table.
    pub fn new(title: impl Into<String>, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            notes: Vec::new(),
            columns: columns.iter().map(|&c| c.to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// The same table with one more remark under its title.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// Add a line below the table, once it has rows.
    pub fn remark(&mut self, remark: impl Into<String>) {
        self.notes.push(remark.into());
    }

    /// Add a row; missing cells at its end are empty.
    pub fn row(&mut self, mut cells: Vec<Cell>) {
        cells.resize(self.columns.len(), Cell::Nothing);
        self.rows.push(cells);
    }

    /// Aligned with spaces: text to the left, numbers to the right.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                lines
                    .iter()
                    .map(|l| l[column].chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = format!("{}\n", self.title);
        for note in &self.notes {
            out.push_str(&format!("  {note}\n"));
        }
        for line in &lines {
            let mut text = String::from(" ");
            for (column, cell) in line.iter().enumerate() {
                let width = widths[column];
                if self.is_text(column) {
                    text.push_str(&format!(" {cell:<width$} "));
                } else {
                    text.push_str(&format!(" {cell:>width$} "));
                }
            }
            out.push_str(text.trim_end());
            out.push('\n');
        }
        out
    }

    /// As a Markdown section.
    pub fn markdown(&self) -> String {
        let mut out = format!("### {}\n\n", self.title);
        for note in &self.notes {
            out.push_str(&format!("- {note}\n"));
        }
        if !self.notes.is_empty() {
            out.push('\n');
        }
        let mut lines = self.lines().into_iter();
        if let Some(head) = lines.next() {
            out.push_str(&format!("| {} |\n", head.join(" | ")));
        }
        let rule: Vec<&str> = (0..self.columns.len())
            .map(|column| if self.is_text(column) { "---" } else { "---:" })
            .collect();
        out.push_str(&format!("| {} |\n", rule.join(" | ")));
        for line in lines {
            out.push_str(&format!("| {} |\n", line.join(" | ")));
        }
        out
    }

    /// As the object of one table in the JSON file.
    pub(super) fn json(&self) -> Value {
        let rows: Vec<Value> = self
            .rows
            .iter()
            .map(|row| {
                let cells = self.columns.iter().cloned().zip(row.iter().map(Cell::json));
                Value::Object(cells.collect::<Map<_, _>>())
            })
            .collect();
        json!({ "title": self.title, "notes": self.notes, "rows": rows })
    }

    fn is_text(&self, column: usize) -> bool {
        self.rows.iter().any(|row| row[column].is_text())
    }

    /// The heading and the rows, as they are shown.
    fn lines(&self) -> Vec<Vec<String>> {
        let rows = self
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::to_string).collect());
        std::iter::once(self.columns.clone()).chain(rows).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("ADD", &["plugin", "p50", "ratio"]).note("n=2");
        table.row(vec![
            Cell::Text("berth".into()),
            Cell::Millis(4.26),
            Cell::Ratio(0.2),
        ]);
        table.row(vec![Cell::Text("bridge".into()), Cell::Millis(123.4)]);
        table
    }

    #[test]
    fn text_is_aligned_by_kind() {
        assert_eq!(
            table().text(),
            "ADD\n  n=2\n  plugin     p50  ratio\n  berth   4.3 ms  0.200\n  bridge  123 ms      –\n"
        );
    }

    #[test]
    fn markdown_aligns_numbers_right() {
        assert_eq!(
            table().markdown(),
            "### ADD\n\n- n=2\n\n| plugin | p50 | ratio |\n| --- | ---: | ---: |\n\
             | berth | 4.3 ms | 0.200 |\n| bridge | 123 ms | – |\n"
        );
    }

    #[test]
    fn json_keeps_unit_and_all_digits() {
        assert_eq!(table().json()["rows"][0]["p50"]["ms"], json!(4.26));
        assert_eq!(table().json()["rows"][1]["ratio"], Value::Null);
    }
}
