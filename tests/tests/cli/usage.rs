//! Help, completions, and command lines that cannot be meant so.

use countersign_tests::{
    Process,
    process::{command, program, text},
};

use super::Said;

/// Every command with flags and arguments of its own.
const COMMANDS: [(&[&str], &[&str]); 34] = [
    (
        &[],
        &[
            "serve",
            "init",
            "audit",
            "users",
            "authenticators",
            "tenants",
            "organisations",
            "applications",
            "requirement",
            "factors",
            "keys",
            "status",
            "doctor",
            "log",
            "demo",
        ],
    ),
    (
        &["serve"],
        &[
            "[SERVICE]",
            "notification",
            "--config",
            "--listen",
            "--data-dir",
            "--event-log",
            "--keys-dir",
            "--nats",
            "--nats-replicas",
            "--peer",
            "--mode",
            "--issuer",
            "--request-timeout-seconds",
            "--log-format",
            "--log-filter",
        ],
    ),
    (&["init"], &["--config", "--event-log", "--nats", "--nats-replicas", "--keys-dir", "--json"]),
    (&["audit"], &["replay", "tail", "as-of"]),
    (
        &["audit", "replay"],
        &["--user", "--type", "--since", "--until", "--after", "--limit", "--json"],
    ),
    (&["audit", "tail"], &["--user", "--type", "--since", "--after", "--limit"]),
    (&["audit", "as-of"], &["<USER>", "[TIME]"]),
    (&["users"], &["show", "place", "token", "access-pass"]),
    (&["users", "show"], &["<USER>", "--tenant"]),
    (
        &["users", "place"],
        &["<USER>", "--organisation", "--no-organisation", "--privileged", "--no-privilege"],
    ),
    (&["users", "token"], &["<USER>", "--lifetime"]),
    (&["users", "access-pass"], &["<USER>", "--lifetime", "--reusable"]),
    (&["authenticators"], &["list", "remove"]),
    (&["authenticators", "list"], &["<USER>", "--removed"]),
    (&["authenticators", "remove"], &["<USER>", "<ID>", "--reason"]),
    (&["tenants"], &["list", "create"]),
    (&["tenants", "list"], &["--json"]),
    (&["tenants", "create"], &["<ID>", "--display-name"]),
    (&["organisations"], &["list", "create"]),
    (&["organisations", "create"], &["<ID>", "--display-name"]),
    (&["applications"], &["list", "create"]),
    (&["applications", "create"], &["<ID>", "--display-name", "--requirement"]),
    (&["requirement", "set"], &["<REQUIREMENT>", "per-application", "--application"]),
    (
        &["factors", "set"],
        &["<KIND>", "--defaults", "--disable", "--free-attempts", "--longest-access-pass"],
    ),
    (&["keys"], &["create", "rotate", "list", "revoke"]),
    (
        &["keys", "create"],
        &[
            "<NAME>",
            "--role",
            "platform-admin",
            "help-desk",
            "--lifetime",
            "--organisation",
            "--allow",
        ],
    ),
    (&["keys", "rotate"], &["<ID>", "--overlap"]),
    (&["keys", "list"], &["--server", "--api-key-file", "--ca", "--certificate", "--server-name"]),
    (&["keys", "revoke"], &["<ID>", "--api-key"]),
    (&["status"], &["--wait", "--server", "--api-key-file", "--json"]),
    (&["doctor"], &["--data-dir", "--config", "--event-log", "--keys-dir", "--json"]),
    (&["log"], &["copy", "copy-keys", "digest"]),
    (&["demo"], &["--serve", "--listen", "--data-dir"]),
    (&["completions"], &["<SHELL>", "bash", "zsh", "fish"]),
];

#[tokio::test]
async fn every_command_has_help_that_names_what_it_takes() {
    for (words, named) in COMMANDS {
        let help = Said::well(command(words.iter().chain(&["--help"]))).await;
        let usage = [&["Usage: countersign"], words].concat().join(" ");
        assert!(help.contains(&usage), "{words:?}: {help}");
        for name in named {
            assert!(help.contains(name), "{words:?} says nothing of {name}: {help}");
        }
    }
}

#[tokio::test]
async fn what_a_command_takes_itself_is_told_before_what_all_take() {
    let help = Said::well(command(["audit", "replay", "--help"])).await;
    let at = |flag: &str| help.find(flag).unwrap_or_else(|| panic!("no {flag}: {help}"));
    for own in ["--user", "--type", "--since", "--until", "--after", "--limit"] {
        assert!(at(own) < at("--server"), "{own}: {help}");
    }
}

#[tokio::test]
async fn the_version_is_told() {
    let version = Said::well(command(["--version"])).await;
    assert!(version.starts_with("countersign ") && version.lines().count() == 1, "{version}");
}

#[tokio::test]
async fn there_are_completions_for_shells_that_bash_can_read() {
    for (shell, holds) in [
        ("bash", "complete -F _countersign"),
        ("zsh", "#compdef countersign"),
        ("fish", "complete -c countersign"),
    ] {
        let script = Said::well(command(["completions", shell])).await;
        assert!(script.contains(holds), "{shell}");
        for word in ["authenticators", "as-of", "api-key-file"] {
            assert!(script.contains(word), "{shell} does not complete {word}");
        }
    }
    let mut check = tokio::process::Command::new("bash");
    let script = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&script, Said::well(command(["completions", "bash"])).await).unwrap();
    let checked = check.arg("-n").arg(script.path()).output().await.unwrap();
    assert!(checked.status.success(), "{}", text(&checked.stderr));
}

#[tokio::test]
async fn wrong_usage_is_told_with_exit_code_2() {
    let wrong: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["tenants"],
        &["tenants", "create"],
        &["audit", "replay", "--since", "yesterday"],
        &["keys", "create", "x", "--role", "king"],
        &["authenticators", "remove", "alice", "id"],
        &["tenants", "list", "--server", "ftp://127.0.0.1:1"],
        &["serve", "--log-format", "xml"],
    ];
    for words in wrong {
        let said = Said::by(command(words)).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {said:?}");
        assert!(!said.err.is_empty(), "{words:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_and_a_key_that_is_missing_or_wrong_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let mut bad = server.command(&["tenants", "list"]);
    bad.env("COUNTERSIGN_API_KEY", format!("csk_platform.aaaa.{}", "x".repeat(43)));
    let said = Said::failing(bad).await;
    assert!(said.contains("(UNAUTHENTICATED)") && said.contains("try: another key"), "{said}");
    assert!(!said.contains("xxxx"), "{said}");
    let mut missing = server.command(&["tenants", "list"]);
    missing.env("COUNTERSIGN_API_KEY_FILE", directory.path().join("nowhere"));
    let said = Said::failing(missing).await;
    assert!(said.contains("cannot read the API key in") && said.contains("nowhere"), "{said}");
    let address = server.address();
    let away = server.command(&["tenants", "list"]);
    assert!(server.stop().await.status.success());
    let said = Said::failing(away).await;
    assert!(said.contains(&format!("no server answers at http://{address}")), "{said}");
    assert!(said.contains("countersign serve"), "{said}");
}

#[tokio::test]
async fn whoever_reads_only_the_head_of_a_list_ends_it_without_complaint() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    for tenant in ["a", "b", "c"] {
        server.tenant(tenant).await;
    }
    let mut shell = tokio::process::Command::new("bash");
    let pipe = "set -o pipefail; \"$0\" audit replay --json | head -n 1";
    shell.args(["-c", pipe]).arg(program("countersign"));
    shell.env("COUNTERSIGN_SERVER", format!("http://{}", server.address()));
    shell.env("COUNTERSIGN_API_KEY_FILE", directory.path().join("first-key"));
    let said = Said::by(shell).await;
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    assert_eq!(said.out.lines().count(), 1);
}
