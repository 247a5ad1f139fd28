//! Pages that are generated: a template by hand, and parts that are made from the program.

use std::fmt::Write as _;

/// Holds `path` against what it should be: the template `tests/data/pages/NAME` with each `{{part}}`, which stands on a line
/// of its own, filled in. With `UPDATE_PAGES` set the file is written instead.
#[expect(clippy::disallowed_methods, reason = "a test's own setting")]
pub(crate) fn is_current(name: &str, parts: &[(&str, String)]) {
    let path = format!("docs/{name}");
    let mut page = std::fs::read_to_string(format!("tests/data/pages/{name}")).unwrap();
    for (part, text) in parts {
        let mark = format!("{{{{{part}}}}}\n");
        assert_eq!(page.matches(&mark).count(), 1, "{mark} in the template of {name}");
        page = page.replace(&mark, text);
    }
    if std::env::var_os("UPDATE_PAGES").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "{path} is not current: run `UPDATE_PAGES=1 cargo test --test it is_current` to update it"
    );
}

/// A table, each cell as Markdown.
pub(crate) fn table<const COLUMNS: usize>(head: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(COLUMNS));
    for row in rows {
        let cells = row.each_ref().map(|cell| cell.replace('|', "\\|"));
        writeln!(table, "| {} |", cells.join(" | ")).unwrap();
    }
    table
}
