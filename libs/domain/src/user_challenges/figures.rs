//! What an outsider can do who has as many addresses as wanted, in figures.

use super::story::{DAY, Story};

/// Says the figures of docs/adr/0012-guess-budgets.md, so that they are those of the code.
#[test]
fn the_decision_record_tells_the_figures_that_are() {
    let days = |seconds: i64| {
        let tenths = (seconds * 10 + DAY / 2) / DAY;
        format!("{}.{} days", tenths / 10, tenths % 10)
    };
    let mut away = Story::default();
    let alone = away.besiege(0, 365 * DAY);
    let mut proven = Story::default();
    proven.proves(1, 0);
    let kept_out = proven.besiege(0, 365 * DAY);
    let mut daily = Story::default();
    let mut year = 0;
    for day in 0..365 {
        daily.proves(1, day * DAY);
        year += daily.besiege(day * DAY, (day + 1) * DAY).len();
    }
    // A step to either side of now is accepted, so three of a million codes are right.
    let percent = |guesses: usize| {
        let hundredths = (guesses * 3 + 50) / 100;
        format!("{}.{:02} %", hundredths / 100, hundredths % 100)
    };
    let within = |end| alone.iter().filter(|seconds| **seconds < end).count();
    let rows = [
        ("guesses at once", within(1).to_string()),
        ("guesses in the first hour", within(3_600).to_string()),
        ("guesses in the first day", within(DAY).to_string()),
        ("time until new sources are closed out, the user having proved one", days(kept_out[94])),
        ("guesses until then", kept_out.len().to_string()),
        ("time until everyone is, the user having proved none", days(alone[99])),
        ("chance to have guessed right by then", percent(alone.len())),
        ("guesses in a year in which the user signs in daily", year.to_string()),
        ("chance to have guessed right in that year", percent(year)),
    ];
    let rows = rows.map(|(what, figure)| format!("| {what} | {figure} |\n")).concat();
    let record = include_str!("../../../../docs/adr/0012-guess-budgets.md");
    assert!(record.contains(&rows), "the record must say\n{rows}");
}
