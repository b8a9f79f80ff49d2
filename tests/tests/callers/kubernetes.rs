//! Tokens of Kubernetes service accounts: the API server gives its keys to those who show a token of their own.

use std::path::Path;

use countersign::serve::CallersConfig;
use countersign_core::Clock as _;
use countersign_service::SystemClock;
use countersign_testkit::authority::replace;
use countersign_tests::{Caller, Fittings, House, Process, process::serve};
use data_encoding::BASE64URL_NOPAD;
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::timeout,
};

use crate::probes::{PATIENCE, at_present, is_nobody, knocks, newest, places};

/// What the server shows to the API server.
const OWN_TOKEN: &str = "token-of-the-server's-own-pod";

/// An API server, as far as it signs tokens of service accounts and publishes its keys.
struct Cluster {
    issuer: String,
    pair: EcdsaKeyPair,
    /// How often it was asked.
    asked: watch::Receiver<usize>,
}

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

impl Cluster {
    async fn start() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let (x, y) = (encoded(x), encoded(y));
        let key = json!({"kty": "EC", "crv": "P-256", "kid": "k", "use": "sig", "x": x, "y": y});
        let keys = json!({"keys": [key]}).to_string();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let (tell, asked) = watch::channel(0);
        // It ends with the test.
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                answer(stream, &keys).await;
                tell.send_modify(|times| *times += 1);
            }
        });
        Self { issuer, pair, asked }
    }

    /// Takes its tokens: those of `login` are a verifier's.
    fn callers(&self, own_token: &Path) -> Value {
        let trusted = json!({
            "name": "cluster",
            "issuer": self.issuer,
            "jwks_uri": format!("{}/openid/v1/jwks", self.issuer),
            "audiences": ["countersign"],
            "bearer_token_file": own_token,
        });
        let rule = json!({
            "when": {
                "/kubernetes.io/namespace": "shop",
                "/kubernetes.io/serviceaccount/name": "login",
            },
            "tenant": "acme",
            "roles": ["verifier"],
        });
        json!({"issuers": [{"trusted": trusted, "callers": [rule]}]})
    }

    /// Signs a token as a pod has it in a projected volume; `changes` change its claims.
    fn token(&self, changes: &Value) -> String {
        let now = SystemClock.now().unix_seconds();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": ["countersign"],
            "iat": now,
            "nbf": now,
            "exp": now + 3_607,
            "jti": "0f5a3ae2-3b0f-4a37-a2a5-d2a3d2f1d7c1",
            "kubernetes.io": {
                "namespace": "shop",
                "pod": {"name": "login-69cf8f8b7-kx2m4"},
                "serviceaccount": {"name": "login"},
            },
            "sub": "system:serviceaccount:shop:login",
        });
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        // The API server writes no `typ`.
        let header = json!({"alg": "ES256", "kid": "k"}).to_string();
        let signed = format!("{}.{}", encoded(header), encoded(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", encoded(signature))
    }
}

/// Answers one request: the keys to whoever shows the right token.
async fn answer(stream: TcpStream, keys: &str) {
    let mut stream = BufReader::new(stream);
    let mut is_known = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or_default() == 0 {
            return;
        }
        is_known |= line.trim_end() == format!("authorization: Bearer {OWN_TOKEN}");
        if line.trim_end().is_empty() {
            break;
        }
    }
    let (status, body) = if is_known { ("200 OK", keys) } else { ("401 Unauthorized", "") };
    let length = body.len();
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    stream.write_all(answer.as_bytes()).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_calls_with_the_token_in_its_volume() {
    let cluster = Cluster::start().await;
    let directory = tempfile::tempdir().unwrap();
    let own_token = directory.path().join("token");
    std::fs::write(&own_token, OWN_TOKEN).unwrap();
    let callers: CallersConfig = serde_json::from_value(cluster.callers(&own_token)).unwrap();
    let house = House::fitted(Fittings { callers, ..Fittings::default() }).await;
    at_present(&house);
    let tenant = house.tenant("acme").await;
    let holder = |changes: Value| Caller::new(house.channel(), &cluster.token(&changes));
    places(&holder(json!({})), "ann").await.unwrap();
    let event = newest(&tenant.auditor, "ann").await;
    assert_eq!(event.requester, "token:cluster:system:serviceaccount:shop:login");
    let of = |namespace: &str, account: &str| json!({"kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": account}}});
    for nobody in [
        of("shop", "cart"),
        of("other", "login"),
        json!({"kubernetes.io/namespace": "shop", "kubernetes.io": {}}),
        // The token with which the pod calls its API server.
        json!({"aud": ["https://kubernetes.default.svc.cluster.local"]}),
    ] {
        is_nobody(&knocks(&holder(nobody)).await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_there_before_anybody_calls() {
    let mut cluster = Cluster::start().await;
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    replace(&path("token"), OWN_TOKEN);
    let config = json!({"callers": cluster.callers(&path("token"))});
    replace(&path("countersign.yaml"), &config.to_string());
    let mut command = serve(&path("data"));
    command.arg("--config").arg(path("countersign.yaml"));
    let process = Process::spawn(command, &path("data")).await;
    timeout(PATIENCE, cluster.asked.wait_for(|times| *times > 0)).await.unwrap().unwrap();
    process.tenant("acme").await;
    let login = Caller::new(process.connect().await, &cluster.token(&json!({})));
    assert_eq!(knocks(&login).await.unwrap(), "acme");
    assert_eq!(*cluster.asked.borrow(), 1);
    assert!(process.stop().await.status.success());
}
