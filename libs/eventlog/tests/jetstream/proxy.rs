//! A way to the server that loses answers.

use std::sync::Arc;

use countersign_nats::NatsSettings;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Passing {
    Everything,
    /// Questions arrive, answers do not.
    Questions,
    Nothing,
}

/// Passes everything between clients and a server, until it is told not to.
pub(crate) struct Proxy {
    port: u16,
    passing: Arc<watch::Sender<(Passing, u64)>>,
}

impl Proxy {
    /// Listens for clients of the server that `settings` lead to.
    pub(crate) async fn start(settings: &NatsSettings) -> Self {
        let server = settings.servers.first().unwrap().trim_start_matches("nats://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let passing = Arc::new(watch::Sender::new((Passing::Everything, 0)));
        let shared = Arc::clone(&passing);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let questions = |passing| passing != Passing::Nothing;
                let answers = |passing| passing == Passing::Everything;
                tokio::spawn(pass(from_client, to_server, shared.subscribe(), questions));
                tokio::spawn(pass(from_server, to_client, shared.subscribe(), answers));
            }
        });
        Self { port, passing }
    }

    pub(crate) fn settings(&self) -> NatsSettings {
        NatsSettings {
            servers: vec![format!("nats://127.0.0.1:{}", self.port)],
            ..NatsSettings::default()
        }
    }

    pub(crate) fn lose_answers(&self) {
        self.passing.send_modify(|(passing, _)| *passing = Passing::Questions);
    }

    pub(crate) fn lose_everything(&self) {
        self.passing.send_modify(|(passing, _)| *passing = Passing::Nothing);
    }

    /// Ends all connections and passes everything on new ones.
    pub(crate) fn heal(&self) {
        self.passing.send_modify(|(passing, healed)| {
            *passing = Passing::Everything;
            *healed += 1;
        });
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut passing: watch::Receiver<(Passing, u64)>,
    passes: impl Fn(Passing) -> bool,
) {
    let (_, generation) = *passing.borrow_and_update();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            changed = passing.changed() => {
                if changed.is_err() || passing.borrow_and_update().1 != generation {
                    return;
                }
            }
            read = from.read(&mut buffer) => {
                let Ok(length @ 1..) = read else { return };
                let now = passing.borrow().0;
                if passes(now) && to.write_all(buffer.get(..length).unwrap()).await.is_err() {
                    return;
                }
            }
        }
    }
}
