//! Help, and command lines that cannot be meant so.

use countersign_tests::process::{command, run, text};

#[tokio::test]
async fn help_names_what_can_be_given() {
    for (words, named) in [
        (&["log"][..], &["copy", "digest"][..]),
        (
            &["log", "copy"],
            &[
                "--from",
                "--to",
                "--dry-run",
                "--skip-unreadable",
                "--patience",
                "embedded:DIR",
                "jetstream:nats://HOST:PORT",
                "kurrentdb://HOST:2113",
            ],
        ),
        (&["log", "digest"], &["--log", "--patience"]),
    ] {
        let output = run(command(words.iter().chain(&["--help"]))).await;
        let help = text(&output.stdout);
        assert!(output.status.success());
        for name in named {
            assert!(help.contains(name), "{words:?} says nothing of {name}: {help}");
        }
    }
}

#[tokio::test]
async fn wrong_usage_is_told_with_exit_code_2_and_no_password() {
    let wrong: [&[&str]; 9] = [
        &["log"],
        &["log", "copy"],
        &["log", "copy", "--from", "embedded:a"],
        &["log", "copy", "--from", "embedded:a", "--to", "embedded:a"],
        &["log", "copy", "--from", "a", "--to", "embedded:b"],
        &["log", "copy", "--from", "embedded:a", "--to", "postgres://x:hunter2@db"],
        &["log", "copy", "--from", "embedded:a", "--to", "jetstream:nats://hunter2@n?replica=1"],
        &["log", "copy", "--from", "embedded:a", "--to", "embedded:b", "--patience", "long"],
        &["log", "digest", "--log", "kurrentdb:hunter2@db"],
    ];
    for words in wrong {
        let output = run(command(words)).await;
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{words:?}: {said}");
        assert!(!said.is_empty() && !said.contains("hunter2"), "{words:?}: {said}");
    }
}

#[tokio::test]
async fn a_log_that_is_not_there_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let nowhere = format!("embedded:{}", directory.path().join("nowhere").display());
    let mut digest = command(["log", "digest"]);
    // The environment does as well as the flag.
    digest.env("COUNTERSIGN_LOG", &nowhere);
    let output = run(digest).await;
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&nowhere) && said.contains("there is no event log in"), "{said}");
    assert!(!directory.path().join("nowhere").exists());
}
