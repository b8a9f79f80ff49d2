//! How a user stood at a time, folded from the log.

use countersign_proto::{
    audit::{GetStateAsOfRequest, GetStateAsOfResponse, OpenChallenge},
    common::{Throttle, ThrottleScope},
};

use crate::cli::{
    Connection, Failure, Screen,
    authenticators::print_authenticators,
    now,
    schema::short_id,
    screen::{FAINT, HEADING, table_of},
    when::{When, to_the_second},
    words::requirement_word,
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The user, by the platform's own id
    user: String,
    /// The time: RFC 3339, a day, or a while ago such as 15m; now if not given
    #[arg(value_name = "TIME")]
    at: Option<When>,
}

pub(super) async fn run(
    args: Args,
    connection: &Connection,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let as_of = args.at.map(|when| when.on_the_wire(now()));
    let request = GetStateAsOfRequest { user_id: args.user, as_of };
    let response = connection.audit().get_state_as_of(request).await;
    let state = response.map_err(Failure::refused("folding the user's events"))?.into_inner();
    if screen.wants_json() {
        return screen.json("countersign.audit.v1.GetStateAsOfResponse", &state);
    }
    print_state(&state, screen)
}

fn print_state(state: &GetStateAsOfResponse, screen: &mut Screen) -> Result<(), Failure> {
    let at = to_the_second(state.as_of.as_ref());
    screen.line(format_args!(
        "as of {at}, from {} events; the tenant required a second factor: {}",
        state.events_folded,
        requirement_word(state.mfa_requirement())
    ))?;
    screen.line(format_args!("\n{HEADING}Authenticators{HEADING:#}"))?;
    print_authenticators(&state.authenticators, screen)?;
    screen.line(format_args!("\n{HEADING}Open challenges{HEADING:#}"))?;
    print_challenges(&state.open_challenges, screen)?;
    screen.line(format_args!("\n{HEADING}Throttled{HEADING:#}"))?;
    print_throttles(&state.throttles, screen)
}

fn print_challenges(challenges: &[OpenChallenge], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["challenge", "application", "opened", "lapses", "attempts left#"]);
    for challenge in challenges {
        table.add_row([
            challenge.challenge_id.clone(),
            challenge.application_id.clone(),
            to_the_second(challenge.created_at.as_ref()),
            to_the_second(challenge.expires_at.as_ref()),
            challenge.attempts_left.to_string(),
        ]);
    }
    screen.table(&table, "none awaited an answer")
}

/// Prints which authenticators take no attempts, and from whom.
pub(crate) fn print_throttles(throttles: &[Throttle], screen: &mut Screen) -> Result<(), Failure> {
    let mut table = table_of(&["authenticator", "failures in a row#", "closed to", "until"]);
    for throttle in throttles {
        table.add_row([
            short_id(&throttle.authenticator_id),
            throttle.consecutive_failures.to_string(),
            closed_to(throttle.scope()).to_owned(),
            closed_until(throttle),
        ]);
    }
    screen.table(&table, "none")
}

const fn closed_to(scope: ThrottleScope) -> &'static str {
    match scope {
        ThrottleScope::FailedSources => "sources that failed",
        ThrottleScope::NewSources => "new sources",
        ThrottleScope::Everyone => "everyone",
        ThrottleScope::Unspecified => "",
    }
}

fn closed_until(throttle: &Throttle) -> String {
    match (&throttle.until, throttle.scope()) {
        (Some(until), _) => to_the_second(Some(until)),
        (None, ThrottleScope::NewSources) => {
            format!("a known source or an administrator opens it {FAINT}(near the limit){FAINT:#}")
        }
        (
            None,
            ThrottleScope::Unspecified | ThrottleScope::FailedSources | ThrottleScope::Everyone,
        ) => format!("an administrator releases it {FAINT}(hard limit){FAINT:#}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::screen::tests::Printed;

    #[test]
    fn a_state_is_told_in_three_parts() {
        let state = GetStateAsOfResponse {
            as_of: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            throttles: [ThrottleScope::Everyone, ThrottleScope::NewSources]
                .map(|scope| Throttle {
                    authenticator_id: "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
                    consecutive_failures: 100,
                    until: None,
                    scope: scope.into(),
                })
                .into(),
            mfa_requirement: countersign_proto::common::MfaRequirement::Always.into(),
            events_folded: 7,
            ..Default::default()
        };
        let printed = Printed::default();
        print_state(&state, &mut Screen::to(printed.clone(), false)).unwrap();
        let text = printed.text();
        assert!(text.starts_with("as of 2023-11-14T22:13:20Z, from 7 events"), "{text}");
        assert!(text.contains("required a second factor: always"), "{text}");
        assert!(text.contains("none awaited an answer"), "{text}");
        for told in ["everyone", "an administrator releases it (hard limit)", "new sources"] {
            assert!(text.contains(told), "{text}");
        }
        assert!(text.contains("a known source or an administrator opens it"), "{text}");
    }
}
