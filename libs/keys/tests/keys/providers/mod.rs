//! Key-encryption keys that a service keeps: other people's server, and a double that other people's client finds right.

mod aws;
mod vault;

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use countersign_core::UserKey;
use countersign_http::{Http, HttpSettings};
use countersign_keys::{KeyProviderChoice, LocalKeys, OpenError, ProviderError};
use countersign_testkit::{MovableClock, ReservedPort, reserve_ports};
use tokio::process::{Child, Command};

use crate::support::Keys;

const FIELD: &str = "authenticator.record";
const ALICE: UserKey = UserKey::new([1; 16]);
/// How long a start may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// Returns a program that `make tools` installs.
pub(crate) fn tool(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/venv/bin").join(name);
    assert!(path.is_file(), "{} is not there: run `make tools`", path.display());
    path
}

/// Returns where a program of our own for other people's libraries is.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python").join(name)
}

/// A server of other people's, which ends with its handle.
struct Server {
    port: ReservedPort,
    child: Child,
}

impl Server {
    /// Starts what `command` makes of a port, and waits until it answers.
    async fn start(command: impl FnOnce(u16) -> Command) -> Self {
        let [port] = reserve_ports();
        let child = command(port.number())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut server = Self { port, child };
        let began = Instant::now();
        while tokio::net::TcpStream::connect(server.port.address()).await.is_err() {
            assert!(server.child.try_wait().unwrap().is_none(), "the server ended");
            assert!(began.elapsed() < PATIENCE, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a request of the operator's, not of ours.
    async fn asked(&self, request: http::request::Builder, body: String) -> serde_json::Value {
        let http = Http::new(&HttpSettings::default()).unwrap();
        let answer = http.send(request.body(Bytes::from(body)).unwrap()).await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        serde_json::from_slice(answer.body()).unwrap_or_default()
    }
}

async fn open(keys: &Keys, provider: &KeyProviderChoice) -> Result<LocalKeys, OpenError> {
    // Of this year: signatures are bound to the time.
    let clock = Arc::new(MovableClock::default());
    LocalKeys::open_with(&keys.directory(), provider, keys.rng(), clock).await
}

fn refused(outcome: Result<LocalKeys, OpenError>) -> ProviderError {
    match outcome {
        Err(OpenError::Provider(error)) => error,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

/// Goes through the life of a ring that `provider` keeps: made, opened, rotated, wrapped anew, retired.
async fn a_life(provider: &KeyProviderChoice) {
    let keys = Keys::none();
    let opened = open(&keys, provider).await.unwrap();
    let sealed = opened.vault().seal(&keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    let rotation = opened.rotation();
    assert_eq!(rotation.begin_kek_rotation().await.unwrap(), 2);
    let progress = rotation.run(|| false).await.unwrap();
    assert_eq!((progress.done, progress.total, progress.version), (1, 1, 2));
    let before = keys.files()["kek"].clone();
    rotation.rewrap_ring().await.unwrap();
    assert_ne!(keys.files()["kek"], before);
    drop(opened);

    let opened = open(&keys, provider).await.unwrap();
    assert_eq!(opened.rotation().versions(), [1, 2]);
    assert_eq!(opened.rotation().retire().await.unwrap(), [1]);
    drop(opened);
    let opened = open(&keys, provider).await.unwrap();
    let seed = opened.vault().unseal(&keys.acme, ALICE, FIELD, &sealed).await.unwrap();
    assert_eq!(seed.expose(), b"seed");
    let clock = Arc::new(MovableClock::default());
    let directory = keys.directory();
    let report = countersign_keys::verify_with(&directory, provider, clock, |_, _| {}).await;
    assert_eq!((report.as_ref().unwrap().keys, report.unwrap().problems), (1, vec![]));

    // Whoever opens it as if its file kept the key is told who does.
    let text = keys.try_open().unwrap_err().to_string();
    assert!(text.contains("kept by") && text.contains("keys.provider says local"), "{text}");
}

/// Gives a ring that its file keeps to `provider`, and takes it back.
async fn a_move(provider: &KeyProviderChoice) {
    let keys = Keys::none();
    let opened = open(&keys, &KeyProviderChoice::Local).await.unwrap();
    let sealed = opened.vault().seal(&keys.acme, ALICE, FIELD, b"seed").await.unwrap();
    let in_the_clear = keys.files()["kek"].clone();
    let key = &in_the_clear[22..54];
    opened.rotation().move_ring(provider).await.unwrap();
    // The same handle goes on with the new provider.
    assert_eq!(opened.rotation().begin_kek_rotation().await.unwrap(), 2);
    drop(opened);
    for (name, content) in keys.files() {
        assert!(!content.windows(16).any(|found| found == &key[..16]), "{name}");
    }
    let opened = open(&keys, provider).await.unwrap();
    opened.rotation().run(|| false).await.unwrap();
    opened.rotation().move_ring(&KeyProviderChoice::Local).await.unwrap();
    drop(opened);
    let opened = keys.open();
    assert_eq!(opened.rotation().versions(), [1, 2]);
    let seed = opened.vault().unseal(&keys.acme, ALICE, FIELD, &sealed).await.unwrap();
    assert_eq!(seed.expose(), b"seed");
}
