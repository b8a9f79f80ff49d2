//! `countersign status`: how the process behind an address does.

use std::time::Duration;

use countersign_proto::status::{Follower, GetStatusRequest, GetStatusResponse};

use super::{
    Connection, Failure, Screen,
    global::Global,
    screen::{ALERT, HEADING, table_of},
};

const STATUS: &str = "countersign.status.v1.GetStatusResponse";

/// How often a process that is not ready yet is asked again.
const LOOK_EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Wait until it is ready, at most this many seconds
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "60")]
    wait: Option<u64>,
}

pub(crate) async fn run(args: Args, global: &Global, screen: &mut Screen) -> Result<(), Failure> {
    let connection = Connection::open(global).await?;
    let status = match args.wait {
        None => ask(&connection).await?,
        Some(seconds) => {
            let ready = until_ready(&connection);
            match tokio::time::timeout(Duration::from_secs(seconds), ready).await {
                Ok(status) => status?,
                Err(_) => ask(&connection).await?,
            }
        }
    };
    if screen.wants_json() {
        screen.json(STATUS, &status)?;
    } else {
        print_status(&status, screen)?;
    }
    if status.ready {
        return Ok(());
    }
    let behind = status.followers.iter().filter(|follower| !follower.caught_up);
    let behind: Vec<_> = behind.map(|follower| follower.name.as_str()).collect();
    Err(Failure::NotReady(behind.join(", ")))
}

async fn ask(connection: &Connection) -> Result<GetStatusResponse, Failure> {
    let response = connection.status().get_status(GetStatusRequest {}).await;
    Ok(response.map_err(Failure::refused("asking for the status"))?.into_inner())
}

async fn until_ready(connection: &Connection) -> Result<GetStatusResponse, Failure> {
    loop {
        let status = ask(connection).await?;
        if status.ready {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn print_status(status: &GetStatusResponse, screen: &mut Screen) -> Result<(), Failure> {
    let (style, verdict) = if status.ready { (HEADING, "ready") } else { (ALERT, "catching up") };
    screen.line(format_args!(
        "{style}{verdict}{style:#}: countersign {} over the log {}",
        status.version, status.event_log
    ))?;
    let services: Vec<_> = status.services.iter().map(|name| short(name)).collect();
    screen.line(format_args!("serves {}", services.join(", ")))?;
    let mut table =
        table_of(&["follower!", "state", "position#", "delay#", "waiting#", "passed over#"]);
    for follower in &status.followers {
        table.add_row([
            follower.name.clone(),
            state(follower).to_owned(),
            follower.position.to_string(),
            delay(follower),
            follower.pending.map_or_else(String::new, |pending| pending.to_string()),
            follower.passed_over.to_string(),
        ]);
    }
    screen.table(&table, "nothing follows the log here")?;
    for follower in &status.followers {
        if !follower.trouble.is_empty() {
            let (name, trouble) = (&follower.name, &follower.trouble);
            screen.line(format_args!("{ALERT}trouble{ALERT:#} of {name}: {trouble}"))?;
        }
        for event in &follower.newest_passed_over {
            screen.line(format_args!(
                "{ALERT}passed over{ALERT:#} by {} at position {}, {}: {}",
                follower.name, event.position, event.place, event.problem
            ))?;
        }
    }
    Ok(())
}

const fn state(follower: &Follower) -> &'static str {
    match (follower.standing_by, follower.caught_up) {
        (true, _) => "standing by",
        (false, true) => "follows",
        (false, false) => "catching up",
    }
}

fn delay(follower: &Follower) -> String {
    let Some(delay) = &follower.delay else { return String::new() };
    format!("{}.{:03} s", delay.seconds, delay.nanos / 1_000_000)
}

/// Returns the last part of a full name.
fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use countersign_proto::status::PassedEvent;

    use super::{super::screen::tests::Printed, *};

    #[test]
    fn what_was_passed_over_is_named() {
        let printed = Printed::default();
        let status = GetStatusResponse {
            version: "1".to_owned(),
            services: vec!["countersign.audit.v1.AuditService".to_owned()],
            event_log: "jetstream".to_owned(),
            log_head: Some(9),
            ready: false,
            followers: vec![Follower {
                name: "deliveries.1".to_owned(),
                position: 7,
                passed_over: 1,
                newest_passed_over: vec![PassedEvent {
                    position: 6,
                    place: "a place".to_owned(),
                    problem: "a problem".to_owned(),
                }],
                ..Follower::default()
            }],
        };
        print_status(&status, &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        assert!(text.contains("catching up: countersign 1 over the log jetstream"), "{text}");
        assert!(text.contains("serves AuditService"), "{text}");
        assert!(text.contains("by deliveries.1 at position 6, a place: a problem"), "{text}");
    }
}
