//! Aligned columns.

/// Rows under a head, each column as wide as its widest cell. Columns that are empty in every row are left out.
pub fn render<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .filter(|widest| *widest > 0)
            .map(|widest| widest.max(head[column].chars().count()))
    };
    let widths: Vec<_> = (0..N).map(width).collect();
    let mut text = String::new();
    let head = head.map(str::to_owned);
    for row in std::iter::once(&head).chain(rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            if let Some(width) = width {
                line.push_str(&format!("{cell:<width$}  "));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The text with every line set in by two spaces.
pub fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: [&str; 3]) -> [String; 3] {
        cells.map(str::to_owned)
    }

    #[test]
    fn columns_are_aligned_and_empty_ones_left_out() {
        let text = render(
            ["NAME", "NOTHING", "X"],
            &[row(["a", "", "1"]), row(["größer", "", "22"])],
        );
        assert_eq!(text, "NAME    X\na       1\ngrößer  22\n");
    }

    #[test]
    fn no_rows_leave_nothing_to_align() {
        assert_eq!(render(["A", "B", "C"], &[]), "\n");
    }
}
