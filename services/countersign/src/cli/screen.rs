//! Where a command's answer goes: tables and lines for people, or JSON for programs.

use std::{fmt, io::Write};

use anstyle::{AnsiColor, Style};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use prost::Message;

use super::{Failure, schema};

/// Headings.
pub(crate) const HEADING: Style = AnsiColor::Green.on_default().bold();
/// What deserves a second look.
pub(crate) const ALERT: Style = AnsiColor::Yellow.on_default().bold();
/// What is there for whoever wants it.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// What can be typed.
pub(crate) const LITERAL: Style = AnsiColor::Cyan.on_default();

/// Standard output, stripped of colour where it is not wanted.
pub(crate) struct Screen {
    out: Box<dyn Write>,
    json: bool,
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").field("json", &self.json).finish_non_exhaustive()
    }
}

impl Screen {
    /// Prints to standard output.
    pub(crate) fn stdout(json: bool) -> Self {
        Self { out: Box::new(anstream::stdout()), json }
    }

    /// Prints to `out` without colour, for tests.
    #[cfg(test)]
    pub(crate) fn to(out: tests::Printed, json: bool) -> Self {
        let out: Box<dyn Write> = Box::new(out);
        Self { out: Box::new(anstream::StripStream::new(out)), json }
    }

    /// Returns whether JSON is wanted.
    pub(crate) const fn wants_json(&self) -> bool {
        self.json
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.out, "{text}")?;
        Ok(self.out.flush()?)
    }

    /// Prints a table, or in its place a sentence when it has no rows.
    pub(crate) fn table(&mut self, table: &Table, when_empty: &str) -> Result<(), Failure> {
        if table.is_empty() {
            return self.line(format_args!("{FAINT}{when_empty}{FAINT:#}"));
        }
        self.line(table.trim_fmt())
    }

    /// Prints a message as a line of JSON; `name` is its full name in the schema.
    pub(crate) fn json(&mut self, name: &str, message: &impl Message) -> Result<(), Failure> {
        let json = schema::json(name, &message.encode_to_vec())?;
        self.line(json)
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }
}

/// Returns a bar that shows how far something is, on standard error, so that findings can be redirected; nothing is drawn
/// where that is no terminal.
pub(crate) fn progress_bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template(template);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Returns a table with these column names; names that end in `#` are of numbers and stand to the right, and what stands
/// under one that ends in `#` or `!` is never broken into lines.
pub(crate) fn table_of(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    // In capitals rather than in colour: the table would count the colour's bytes into the column's width.
    let names =
        columns.iter().map(|name| Cell::new(name.trim_end_matches(['#', '!']).to_uppercase()));
    table.set_header(names.collect::<Vec<_>>());
    for (column, name) in table.column_iter_mut().zip(columns) {
        if name.ends_with('#') {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if name.ends_with(['#', '!']) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    table
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use super::*;

    /// What was printed, readable after the screen took the writer over.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct Printed(Arc<Mutex<Vec<u8>>>);

    impl Printed {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Printed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_table_without_rows_is_a_sentence() {
        let printed = Printed::default();
        let mut screen = Screen::to(printed.clone(), false);
        screen.table(&table_of(&["tenant"]), "there are no tenants yet").unwrap();
        assert_eq!(printed.text(), "there are no tenants yet\n");
    }

    #[test]
    fn colour_is_stripped_where_it_is_not_wanted_and_columns_stay_aligned() {
        let printed = Printed::default();
        let mut screen = Screen::to(printed.clone(), false);
        let mut table = table_of(&["position#", "type"]);
        table.add_row(["7", "TenantCreated"]).add_row(["12", "ApiKeyIssued"]);
        screen.table(&table, "").unwrap();
        let text = printed.text();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[0].trim(), "POSITION  TYPE");
        assert_eq!(lines[1].trim(), "7  TenantCreated");
        assert_eq!(lines[1].find("Tenant"), lines[2].find("ApiKey"));
        assert_eq!(lines.len(), 3);
    }
}
