//! What the log says of it all, and what to try next.

use std::path::Path;

use countersign_proto::audit::ReplayEventsRequest;

use super::{Setting, Story, setting::USER};
use crate::cli::{Failure, global::Global, replay_as_table};

/// Prints everything that happened, from the log.
pub(super) async fn replay(setting: &Setting, story: &mut Story<'_>) -> Result<(), Failure> {
    story.chapter("What the log says happened")?;
    story.call("AuditService.ReplayEvents", "all state is a fold of these events")?;
    replay_as_table(ReplayEventsRequest::default(), &setting.auditor, story.screen()).await
}

/// Prints commands that go on from here, whole, so that they can be pasted.
pub(super) fn what_next(
    setting: &Setting,
    global: &Global,
    story: &mut Story<'_>,
) -> Result<(), Failure> {
    story.part("What to try next")?;
    let program = std::env::args().next().unwrap_or_else(|| "countersign".to_owned());
    for (purpose, command) in suggestions(&program, &setting.tenant, global) {
        story.suggestion(purpose, &command)?;
    }
    Ok(())
}

fn suggestions(program: &str, tenant: &str, global: &Global) -> Vec<(&'static str, String)> {
    let server = global.server.as_str();
    let key_file = global.api_key_file.display();
    let mut flags = format!("--tenant {tenant}");
    if server != "http://127.0.0.1:7443" {
        flags.push_str(&format!(" --server {server}"));
    }
    if global.api_key_file != Path::new("data/first-key") {
        flags.push_str(&format!(" --api-key-file {key_file}"));
    }
    let call = |method: &str, body: &str| {
        format!(
            "buf curl --protocol grpc --http2-prior-knowledge \\\n     \
             -H \"authorization: Bearer $(cat {key_file})\" -H 'countersign-tenant: {tenant}' \\\n     \
             -d '{body}' {server}/countersign.{method}"
        )
    };
    vec![
        ("watch what happens from now on", format!("{program} audit tail {flags}")),
        (
            "what happened to Alice, as JSON",
            format!("{program} audit replay {flags} --user {USER} --json"),
        ),
        ("how Alice stands now", format!("{program} users show {USER} {flags}")),
        ("how she stood a minute ago", format!("{program} audit as-of {USER} 1m {flags}")),
        (
            "the same API with other people's tools (`make tools` puts buf into .tools/npm/node_modules/.bin)",
            call(
                "enrollment.v1.EnrollmentService/ListAuthenticators",
                &format!(r#"{{"userId": "{USER}"}}"#),
            ),
        ),
        (
            "ask for a challenge yourself",
            call(
                "challenge.v1.ChallengeService/CreateChallenge",
                &format!(r#"{{"userId": "{USER}", "applicationId": "vpn"}}"#),
            ),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::Cli;

    fn global(words: &[&str]) -> Global {
        let words = [&["countersign", "tenants", "list"], words].concat();
        Cli::try_parse_from(words).unwrap().into_global()
    }

    #[test]
    fn our_own_suggestions_are_command_lines_that_parse() {
        let all = suggestions("countersign", "demo", &global(&["--server", "http://127.0.0.1:1"]));
        let ours = all.iter().filter(|(_, command)| command.starts_with("countersign "));
        let mut count = 0;
        for (_, command) in ours {
            let parsed = Cli::try_parse_from(command.split_whitespace());
            assert!(parsed.is_ok(), "{command}: {:?}", parsed.err());
            assert!(command.contains("--server http://127.0.0.1:1"), "{command}");
            count += 1;
        }
        assert_eq!(count, 4);
    }

    #[test]
    fn what_is_the_default_is_not_said() {
        let all = suggestions("countersign", "demo", &global(&[]));
        assert_eq!(all[0].1, "countersign audit tail --tenant demo");
    }
}
