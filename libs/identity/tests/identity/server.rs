//! A server that publishes keys, and is what servers can be: slow, away, wrong.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::{
    io::{
        AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader,
    },
    net::TcpListener,
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use crate::signing::Signer;

const JWKS: &str = "/jwks";
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// What it was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
}

/// A server on a free port. It ends with its handle.
pub(crate) struct KeyServer {
    address: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

struct State {
    answers: Mutex<BTreeMap<String, (u16, String)>>,
    asked: watch::Sender<Vec<Asked>>,
    is_held: watch::Sender<bool>,
    is_away: Mutex<bool>,
}

impl Drop for KeyServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl KeyServer {
    pub(crate) async fn start() -> Self {
        Self::listen(None).await
    }

    /// One that speaks TLS, under the name `localhost`.
    pub(crate) async fn start_tls(tls: TlsAcceptor) -> Self {
        Self::listen(Some(tls)).await
    }

    async fn listen(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let bound = listener.local_addr().unwrap();
        let address = match &tls {
            None => format!("http://{bound}"),
            Some(_) => format!("https://localhost:{}", bound.port()),
        };
        let state = Arc::new(State {
            answers: Mutex::default(),
            asked: watch::Sender::new(Vec::new()),
            is_held: watch::Sender::new(false),
            is_away: Mutex::new(false),
        });
        let serving = Arc::clone(&state);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (state, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    let Some(tls) = tls else { return state.serve(stream).await };
                    // Whoever does not trust us hangs up.
                    if let Ok(stream) = tls.accept(stream).await {
                        state.serve(stream).await;
                    }
                });
            }
        });
        Self { address, state, accepting }
    }

    /// Its address, which is also its `iss`.
    pub(crate) fn issuer(&self) -> &str {
        &self.address
    }

    pub(crate) fn jwks_uri(&self) -> String {
        format!("{}{JWKS}", self.address)
    }

    /// Publishes keys, and says in its discovery document where.
    pub(crate) fn publish(&self, signers: &[&Signer]) {
        let keys: Vec<_> = signers.iter().map(|signer| signer.jwk()).collect();
        self.publish_set(&json!({"keys": keys}).to_string());
        self.discover(&json!({"issuer": self.issuer(), "jwks_uri": self.jwks_uri()}));
    }

    pub(crate) fn publish_set(&self, body: &str) {
        self.answer(JWKS, 200, body);
    }

    pub(crate) fn discover(&self, document: &Value) {
        self.answer(DISCOVERY, 200, &document.to_string());
    }

    pub(crate) fn answer(&self, path: &str, status: u16, body: &str) {
        self.state.answers.lock().insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Answers every question for keys with that status.
    pub(crate) fn fail(&self, status: u16) {
        self.answer(JWKS, status, "");
    }

    /// Closes connections without an answer.
    pub(crate) fn go_away(&self) {
        *self.state.is_away.lock() = true;
    }

    pub(crate) fn come_back(&self) {
        *self.state.is_away.lock() = false;
    }

    /// Takes questions and does not answer them.
    pub(crate) fn hold(&self) {
        self.state.is_held.send_replace(true);
    }

    pub(crate) fn let_go(&self) {
        self.state.is_held.send_replace(false);
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state.asked.borrow().clone()
    }

    pub(crate) fn times_asked(&self) -> usize {
        self.state.asked.borrow().len()
    }

    /// Waits until it was asked so many times.
    pub(crate) async fn is_asked(&self, times: usize) {
        let mut asked = self.state.asked.subscribe();
        asked.wait_for(|asked| asked.len() >= times).await.unwrap();
    }
}

impl State {
    async fn serve(&self, stream: impl AsyncRead + AsyncWrite + Unpin) {
        let mut stream = BufReader::new(stream);
        let Some(asked) = read_request(&mut stream).await else { return };
        let path = asked.path.clone();
        self.asked.send_modify(|all| all.push(asked));
        self.is_held.subscribe().wait_for(|held| !held).await.unwrap();
        if *self.is_away.lock() {
            return;
        }
        let answer = self.answers.lock().get(&path).cloned();
        let (status, body) = answer.unwrap_or((404, String::new()));
        let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        let answer = format!("{head}connection: close\r\n\r\n{body}");
        // Whoever asked may have enough of it.
        stream.write_all(answer.as_bytes()).await.ok();
    }
}

async fn read_request(stream: &mut (impl AsyncBufRead + Unpin)) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let header = |line: &String| line.strip_prefix("authorization: ").map(str::to_owned);
    Some(Asked { path, authorization: lines.iter().find_map(header) })
}
