//! Command lines of services apart that cannot be meant so, or that find nobody: each ends at once and says what to set,
//! and nobody who reads along learns a password.

use countersign_testkit::{KurrentDb, NatsServer};
use countersign_tests::{Process, process::command};
use tempfile::TempDir;
use tokio::process::Command;

use super::Said;

/// Addresses at which nobody answers, with passwords.
const KURRENTDB: &str = "kurrentdb://admin:hunter2@127.0.0.1:1?tls=false";
const NATS: &str = "nats://countersign:hunter2@127.0.0.1:1";

/// Runs a command over a data directory of its own that it must not make, and returns what it complained of.
async fn refused(words: &[&str]) -> String {
    let directory = TempDir::new().unwrap();
    let data_dir = directory.path().join("data");
    let mut command = command(words);
    command.arg("--data-dir").arg(&data_dir);
    let said = Said::by(command).await;
    assert_eq!((said.code, said.out.as_str()), (Some(1), ""), "{words:?}: {said:?}");
    assert!(!data_dir.exists(), "{words:?} made a data directory");
    assert!(!said.err.contains("hunter2"), "{words:?}: {said:?}");
    said.err
}

#[tokio::test]
async fn a_service_alone_on_the_embedded_log_is_told_what_to_set() {
    for words in [&["serve", "challenge", "--listen", "127.0.0.1:0"][..], &["init"]] {
        for more in [&[][..], &["--event-log", "embedded"]] {
            let said = refused(&[words, more].concat()).await;
            for word in ["event_log", "`embedded` is for one process", "`jetstream`", "KurrentDB"] {
                assert!(said.contains(word), "{words:?} {more:?}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_with_its_setting_before_anybody_is_waited_for() {
    let serve = ["serve", "enrollment", "--listen", "127.0.0.1:0", "--event-log"];
    for (more, named) in [
        (&["http://admin:hunter2@db:2113"][..], "event_log must be embedded, jetstream or"),
        (
            &["jetstream", "--nats", "nats://countersign:hunter2@host:port"],
            "nats.servers: nats://***@host:port",
        ),
        (&["jetstream", "--nats", NATS, "--nats-replicas", "6"], "nats.replicas must be 1 to 5"),
        (
            &["jetstream", "--nats", NATS, "--peer", "audit=http://me:hunter2@audit:7443"],
            "peers.audit: address 1 must be http://host:port without a user",
        ),
        (
            &["jetstream", "--nats", NATS, "--peer", "audit=audit:7443"],
            "peers.audit: address 1 must be http://host:port",
        ),
    ] {
        let said = refused(&[&serve[..], more].concat()).await;
        assert!(said.contains(named), "{more:?}: {said}");
    }
}

#[tokio::test]
async fn a_peer_of_another_form_is_wrong_usage_that_names_the_form() {
    for wrong in ["audit", "audit=", "gateway=http://gateway:7443", "http://audit:7443"] {
        let said = Said::by(command(["serve", "challenge", "--peer", wrong])).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{wrong}: {said:?}");
        for word in
            ["SERVICE=URL, such as challenge=http://challenge:7443", "enrollment, challenge"]
        {
            assert!(said.err.contains(word), "{wrong}: {said:?}");
        }
    }
}

#[tokio::test]
async fn help_shows_no_password_of_the_environment() {
    for words in [&["serve"][..], &["init"], &["doctor"], &["log", "copy-keys"]] {
        let mut command = command(words.iter().chain(&["--help"]));
        command.env("COUNTERSIGN_EVENT_LOG", KURRENTDB).env("COUNTERSIGN_NATS", NATS);
        let help = Said::well(command).await;
        assert!(help.contains("COUNTERSIGN_NATS"), "{words:?}: {help}");
        assert!(!help.contains("hunter2"), "{words:?}: {help}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_password_is_said_by_services_that_run_or_cannot() {
    let (kurrentdb, nats) = (KurrentDb::start().await, NatsServer::start().await);
    let directory = TempDir::new().unwrap();
    let event_log = format!("kurrentdb://admin:hunter2@127.0.0.1:{}?tls=false", kurrentdb.port());
    let servers = nats.url().replace("//", "//countersign:hunter2@");
    let prepare = |words: &[&str]| -> Command {
        let mut command = command(words);
        command.env("COUNTERSIGN_DATA_DIR", directory.path());
        command.env("COUNTERSIGN_EVENT_LOG", &event_log).env("COUNTERSIGN_NATS", &servers);
        command.env("COUNTERSIGN_NATS_REPLICAS", "1").env("COUNTERSIGN_LOG_FILTER", "debug");
        command
    };
    let serve = ["serve", "notification", "--listen", "127.0.0.1:0", "--log-format", "json"];
    let mut said = Said::well(prepare(&["init"])).await;
    let service = Process::spawn(prepare(&serve), directory.path()).await;
    service.log().wait_for("caught up with the log").await.unwrap();
    kurrentdb.stop().await;
    // What follows the log notices, and says so.
    service.log().wait_for("KurrentDB").await.unwrap();
    said += &service.stop().await.log;
    for words in [&["init"][..], &["doctor"], &serve] {
        said += &Said::by(prepare(words)).await.err;
    }
    assert!(said.contains(r#""event_log":"kurrentdb""#), "{said}");
    assert!(said.contains("KurrentDB is unavailable"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}
