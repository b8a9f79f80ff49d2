//! A server whose key-encryption key is kept by a service: other people's, or a double that other people's client finds right.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Instant,
};

use countersign_testkit::{ReservedPort, reserve_ports};
use countersign_tests::{
    Process,
    process::{command, run, serve, text},
    tools::{checkout, python, said},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    process::{Child, Command},
};

use crate::{PATIENCE, PAUSE, begin, is_complete, keyring, retire, until};

const TOKEN: &str = "hvs.t0ken-of-a-test";

/// A service, which ends with its handle.
struct Service {
    port: ReservedPort,
    child: Child,
}

impl Service {
    async fn start(program: &Path, words: impl FnOnce(u16) -> Vec<String>) -> Self {
        let [port] = reserve_ports();
        let child = Command::new(program)
            .args(words(port.number()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let service = Self { port, child };
        let began = Instant::now();
        while TcpStream::connect(service.port.address()).await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the service does not answer");
            tokio::time::sleep(PAUSE).await;
        }
        service
    }

    /// Sends a request of the operator's, and returns the body of the answer.
    async fn asked(&self, path: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(self.port.address()).await.unwrap();
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n\
             {body}"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.split(' ').nth(1).unwrap().starts_with('2'), "{answer}");
        body.to_owned()
    }
}

/// A provider with a key, and the settings that lead to it.
struct Provider {
    service: Service,
    directory: TempDir,
    settings: String,
}

impl Provider {
    async fn vault() -> Self {
        let script = checkout().join("tests/python/vault_transit.py").display().to_string();
        let service =
            Service::start(&python(), |port| vec![script, port.to_string(), TOKEN.to_owned()])
                .await;
        let token = format!("x-vault-token: {TOKEN}\r\n");
        service.asked("/v1/transit/keys/kek", &token, "{}").await;
        let directory = tempfile::tempdir().unwrap();
        let token_file = directory.path().join("token");
        fs::write(&token_file, TOKEN).unwrap();
        let settings = format!(
            "vault: {{ address: 'http://{}', key: kek, token_file: '{}' }}",
            service.port.address(),
            token_file.display()
        );
        Self { service, directory, settings }
    }

    async fn aws() -> Self {
        let moto = python().with_file_name("moto_server");
        let service = Service::start(&moto, |port| {
            ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned).into()
        })
        .await;
        let headers = "content-type: application/x-amz-json-1.1\r\nauthorization: AWS4-HMAC-SHA256 \
                       Credential=operator/20260101/eu-west-1/kms/aws4_request, SignedHeaders=host, \
                       Signature=0\r\nx-amz-target: TrentService.CreateKey\r\n";
        let made: serde_json::Value =
            serde_json::from_str(&service.asked("/", headers, "{}").await).unwrap();
        let key = made["KeyMetadata"]["KeyId"].as_str().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let credentials = directory.path().join("credentials");
        let text = "[default]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = s3cr3t\n";
        fs::write(&credentials, text).unwrap();
        let settings = format!(
            "aws: {{ region: eu-west-1, key_id: '{key}', endpoint: 'http://{}', credentials_file: '{}' }}",
            service.port.address(),
            credentials.display()
        );
        Self { service, directory, settings }
    }

    /// Writes settings in which `provider` keeps the key-encryption key.
    fn config(&self, provider: &str) -> PathBuf {
        let path = self.directory.path().join(format!("{provider}.yaml"));
        fs::write(&path, format!("keys: {{ provider: {provider}, {} }}\n", self.settings)).unwrap();
        path
    }

    fn data_dir(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn serve(&self, provider: &str) -> Command {
        let mut command = serve(&self.data_dir());
        command.arg("--config").arg(self.config(provider));
        command
    }

    async fn started(&self, provider: &str) -> Process {
        Process::spawn(self.serve(provider), &self.data_dir()).await
    }

    fn offline(&self, words: &[&str], provider: &str) -> Command {
        let mut command = command(words);
        command.arg("--data-dir").arg(self.data_dir()).arg("--config").arg(self.config(provider));
        command
    }

    /// Expects that a start is refused, and returns why.
    async fn refused(&self, provider: &str) -> String {
        let output = run(self.serve(provider)).await;
        assert!(!output.status.success(), "it started");
        text(&output.stderr)
    }
}

/// Serves, rotates, starts again, is looked over; and says what is wrong when its provider is away or another.
async fn a_life(mut provider: Provider, name: &str) {
    let process = provider.started(name).await;
    let tenant = process.tenant("acme").await;
    let phone = tenant.enrol("ann").await;
    let operator = process.operator().await;
    assert_eq!(keyring(&operator).await.provider, name);
    begin(&operator, 1).await.unwrap();
    until(&operator, is_complete).await;
    retire(&operator).await.unwrap();
    said(process.command(&["keyring", "rewrap"])).await;
    assert!(process.stop().await.status.success());

    let process = provider.started(name).await;
    assert_eq!(keyring(&process.operator().await).await.versions, [2]);
    let tenant = tenant.over(&process.connect().await);
    let challenge = tenant.challenge("ann").await;
    let soon = countersign_core::Timestamp::from_unix_seconds(tenant.now().unix_seconds() + 30);
    tenant.verified("ann", &challenge, &phone.code(soon)).await;
    process.stop().await;
    let found = said(provider.offline(&["doctor"], name)).await;
    assert!(found.contains("1 data keys"), "{found}");

    let why = provider.refused("local").await;
    assert!(why.contains(&format!("kept by {name}, but keys.provider says local")), "{why}");
    provider.service.child.kill().await.unwrap();
    let why = provider.refused(name).await;
    assert!(why.contains(&format!("{name} is away")), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_key_vault_keeps_serves_and_says_when_vault_is_away() {
    a_life(Provider::vault().await, "vault").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_key_kms_keeps_serves_and_says_when_kms_is_away() {
    a_life(Provider::aws().await, "aws").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_served_while_vault_is_away_and_a_rotation_says_so() {
    let mut vault = Provider::vault().await;
    let process = vault.started("vault").await;
    let tenant = process.tenant("acme").await;
    vault.service.child.kill().await.unwrap();
    tenant.enrol("ann").await;
    let operator = process.operator().await;
    let status = begin(&operator, 1).await.unwrap_err();
    assert_eq!(countersign_tests::reason(&status), "KEYS_UNAVAILABLE");
    assert_eq!(keyring(&operator).await.versions, [1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ring_moves_to_vault_by_a_command_and_the_settings_must_follow() {
    let vault = Provider::vault().await;
    let process = vault.started("local").await;
    let tenant = process.tenant("acme").await;
    tenant.enrol("ann").await;
    process.stop().await;
    let printed = said(vault.offline(&["keyring", "move", "vault"], "local")).await;
    assert!(printed.contains("kept by vault"), "{printed}");
    assert!(printed.contains("keys: { provider: vault }"), "{printed}");
    let why = vault.refused("local").await;
    assert!(why.contains("kept by vault, but keys.provider says local"), "{why}");
    let process = vault.started("vault").await;
    tenant.over(&process.connect().await).challenge("ann").await;
    assert!(process.stop().await.status.success());
}
