//! A real OpenID provider, npm's `oidc-provider`: a process of its own that is ended with its handle.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use bytes::Bytes;
use countersign_http::{Http, HttpSettings};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{ReservedPort, reserve_ports};

/// How long a start or a command may take: far longer than it does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client of the provider, which gets tokens about itself.
#[derive(Clone, Debug)]
pub struct IssuerClient {
    id: String,
    algorithm: String,
    claims: Value,
}

impl IssuerClient {
    /// A client whose id is the `sub` of its tokens, signed with ES256.
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self { id: id.to_owned(), algorithm: "ES256".to_owned(), claims: json!({}) }
    }

    /// Has its tokens signed in another way: RS256, PS256, ES256 or EdDSA.
    #[must_use]
    pub fn signed_with(mut self, algorithm: &str) -> Self {
        algorithm.clone_into(&mut self.algorithm);
        self
    }

    /// Has more claims in its tokens: an object.
    #[must_use]
    pub fn with_claims(mut self, claims: Value) -> Self {
        self.claims = claims;
        self
    }

    fn secret(&self) -> String {
        format!("secret-of-{}", self.id)
    }
}

/// An OpenID provider that issues access tokens as JWTs, and whose keys can be rotated.
#[derive(Debug)]
pub struct OidcIssuer {
    clients: Vec<IssuerClient>,
    port: ReservedPort,
    http: Http,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Process {
    async fn answers(&mut self, expected: &str) {
        let answer = timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.expect("the provider answers in time").expect("it can be read");
        assert_eq!(answer.as_deref(), Some(expected), "the provider says why on standard error");
    }
}

impl OidcIssuer {
    /// Starts one with keys of its own.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn start(clients: impl IntoIterator<Item = IssuerClient>) -> Self {
        let [port] = reserve_ports();
        let http = Http::new(&HttpSettings::default()).expect("a client for HTTP");
        let clients = clients.into_iter().collect();
        let mut issuer = Self { clients, port, http, process: None };
        issuer.restart().await;
        issuer
    }

    /// Starts it again at the same address. Its keys are new, and it knows nothing of the old ones.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        self.kill().await;
        let mut child = Command::new("node")
            .arg(checkout().join("tests/npm/issuer.mjs"))
            .arg(self.arguments().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("node is started: `make tools` installs it");
        let commands = child.stdin.take().expect("its input is piped");
        let answers = BufReader::new(child.stdout.take().expect("its output is piped")).lines();
        let mut process = Process { child, commands, answers };
        process.answers("ready").await;
        self.process = Some(process);
    }

    fn arguments(&self) -> Value {
        let clients = self.clients.iter().map(|client| {
            let IssuerClient { id, algorithm, claims } = client;
            json!({"id": id, "secret": client.secret(), "algorithm": algorithm, "claims": claims})
        });
        let clients: Vec<_> = clients.collect();
        json!({"modules": modules(), "port": self.port.number(), "clients": clients})
    }

    /// Returns its address, which is the `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Gets a token at its token endpoint, as a client does (RFC 6749 section 4.4), for `audience`, which is an absolute
    /// URI (RFC 8707).
    ///
    /// # Panics
    /// If it gives none, or there is no such client.
    pub async fn access_token(&self, client: &str, audience: &str) -> String {
        let client = self.clients.iter().find(|known| known.id == client);
        let client = client.expect("one of the clients that it was started with");
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}&resource={audience}",
            client.id,
            client.secret()
        );
        let request = http::Request::post(format!("{}/token", self.issuer()))
            .header(http::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(form))
            .expect("a request");
        let answer = self.http.send(request).await.expect("the provider answers");
        let body = String::from_utf8_lossy(answer.body());
        assert_eq!(answer.status(), 200, "{body}");
        let body: Value = serde_json::from_str(&body).expect("its answer is JSON");
        let token = body.get("access_token").and_then(Value::as_str);
        token.expect("an access token").to_owned()
    }

    /// Returns the keys that it publishes, as JSON (RFC 7517 section 5).
    ///
    /// # Panics
    /// If it publishes none.
    pub async fn published_keys(&self) -> Value {
        let request = http::Request::get(format!("{}/jwks", self.issuer()));
        let request = request.body(Bytes::new()).expect("a request");
        let answer = self.http.send(request).await.expect("the provider answers");
        serde_json::from_slice(answer.body()).expect("its keys are JSON")
    }

    /// Has it sign with new keys, and still publish the ones before.
    ///
    /// # Panics
    /// If it does not.
    pub async fn rotate(&mut self) {
        self.command("rotate", "rotated").await;
    }

    /// Has it publish no keys but those that it signs with.
    ///
    /// # Panics
    /// If it does not.
    pub async fn retire(&mut self) {
        self.command("retire", "retired").await;
    }

    async fn command(&mut self, command: &str, answer: &str) {
        let process = self.process.as_mut().expect("the provider runs");
        let line = format!("{command}\n");
        process.commands.write_all(line.as_bytes()).await.expect("the provider is told");
        process.answers(answer).await;
    }

    /// Ends it as a power cut would.
    ///
    /// # Panics
    /// If the operating system does not let it.
    pub async fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.child.kill().await.expect("the provider is killed");
        }
    }
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns where the packages of `tests/npm/package.json` are.
fn modules() -> PathBuf {
    let modules = checkout().join(".tools/npm/node_modules");
    let found = modules.join("oidc-provider").is_dir();
    assert!(found, "oidc-provider is not in {}: run `make tools`", modules.display());
    modules.canonicalize().expect("a folder that is there has a name")
}
