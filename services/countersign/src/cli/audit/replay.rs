//! Events from the log, once or for as long as somebody looks.

use countersign_proto::audit::{RecordedEvent, ReplayEventsRequest, replay_events_response::Item};

use super::row;
use crate::cli::{
    Connection, Failure, Screen, now,
    screen::{FAINT, table_of},
    when::When,
};

/// Rows that one table takes: all are kept until it is printed, because its widths depend on every one.
const ROWS_AT_ONCE: usize = 500;

const EVENT: &str = "countersign.audit.v1.RecordedEvent";

#[derive(Debug, clap::Args)]
struct Filters {
    /// Only events of this user, by the platform's own id
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// Only events of this type, such as ChallengeVerified; may be repeated
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only events recorded at or after this time: RFC 3339, a day, or a while ago such as 15m
    #[arg(long, value_name = "TIME")]
    since: Option<When>,
    /// Only events after this position of the log
    #[arg(long, value_name = "POSITION")]
    after: Option<u64>,
    /// End after this many events
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    filters: Filters,
    /// Only events recorded before this time
    #[arg(long, value_name = "TIME")]
    until: Option<When>,
}

#[derive(Debug, clap::Args)]
pub(super) struct TailArgs {
    #[command(flatten)]
    filters: Filters,
}

impl Filters {
    fn into_request(self) -> ReplayEventsRequest {
        ReplayEventsRequest {
            after_position: self.after,
            from_time: self.since.map(|when| when.on_the_wire(now())),
            until_time: None,
            user_id: self.user.unwrap_or_default(),
            event_types: self.types,
            follow: false,
            limit: self.limit.unwrap_or_default(),
        }
    }
}

/// Prints recorded events and ends.
pub(super) async fn run(
    args: Args,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let until_time = args.until.map(|when| when.on_the_wire(now()));
    let request = ReplayEventsRequest { until_time, ..args.filters.into_request() };
    if screen.wants_json() {
        stream(request, connection, screen, |event, screen| screen.json(EVENT, event)).await
    } else {
        replay_as_table(request, connection, screen).await
    }
}

/// Prints events as they are recorded. Without `--since` or `--after` it begins with the next one.
pub(super) async fn tail(
    args: TailArgs,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut request = args.filters.into_request();
    request.follow = true;
    if request.from_time.is_none() && request.after_position.is_none() {
        request.from_time = Some(When::At(now()).on_the_wire(now()));
    }
    let as_json = screen.wants_json();
    stream(request, connection, screen, |event, screen| {
        if as_json { screen.json(EVENT, event) } else { screen.line(row::line(event)) }
    })
    .await
}

/// Prints recorded events as one table after another.
pub(crate) async fn replay_as_table(
    request: ReplayEventsRequest,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let mut table = table_of(&row::COLUMNS);
    let mut count = 0_u64;
    stream(request, connection, screen, |event, screen| {
        count = count.saturating_add(1);
        table.add_row(row::cells(event));
        if table.row_count() < ROWS_AT_ONCE {
            return Ok(());
        }
        let full = std::mem::replace(&mut table, table_of(&row::COLUMNS));
        screen.table(&full, "")
    })
    .await?;
    if !table.is_empty() || count == 0 {
        screen.table(&table, "no events match")?;
    }
    screen.line(format_args!("{FAINT}{count} events{FAINT:#}"))
}

async fn stream(
    request: ReplayEventsRequest,
    connection: &Connection,
    screen: &mut Screen,
    mut each: impl FnMut(&RecordedEvent, &mut Screen) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let refused = Failure::refused("replaying events");
    let response = connection.audit().replay_events(request).await.map_err(&refused)?;
    let mut items = response.into_inner();
    while let Some(item) = items.message().await.map_err(&refused)? {
        match item.item {
            Some(Item::Event(event)) => each(&event, screen)?,
            Some(Item::CaughtUpPosition(position)) if !screen.wants_json() => {
                let note = format!("caught up at position {position}; new events follow");
                screen.line(format_args!("{FAINT}{note}{FAINT:#}"))?;
            }
            Some(Item::CaughtUpPosition(_)) | None => {}
        }
    }
    Ok(())
}
