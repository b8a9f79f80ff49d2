//! Certificates and authorities that are replaced while the server is at work.

use std::{
    fs,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use countersign_testkit::authority::{Authority, replace};
use countersign_tests::Caller;
use tokio::task::JoinHandle;

use crate::{
    client::Client,
    probes::{PATIENCE, knocks},
    secured::{LOGIN, Secured},
};

/// Fifty calls a second.
const EVERY: Duration = Duration::from_millis(20);

/// A platform at work: it calls again and again, over the connection that it has.
struct Work {
    done: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Work {
    /// Calls over the connection that `caller` has.
    fn over_one_connection(caller: Caller) -> Self {
        Self::begin(caller, None)
    }

    /// Calls over a new connection each time.
    fn over_many(address: SocketAddr, client: Client, caller: Caller) -> Self {
        Self::begin(caller, Some((address, client)))
    }

    fn begin(caller: Caller, anew: Option<(SocketAddr, Client)>) -> Self {
        let (done, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (counted, stopping) = (Arc::clone(&done), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let mut turns = tokio::time::interval(EVERY);
            while !stopping.load(Ordering::Acquire) {
                turns.tick().await;
                let caller = match &anew {
                    Some((address, client)) => caller.over(client.connect(*address).await.unwrap()),
                    None => caller.clone(),
                };
                knocks(&caller).await.unwrap();
                counted.fetch_add(1, Ordering::AcqRel);
            }
        });
        Self { done, stop, task }
    }

    fn done(&self) -> usize {
        self.done.load(Ordering::Acquire)
    }

    /// Ends, and fails if a call has failed.
    async fn end(self) -> usize {
        self.stop.store(true, Ordering::Release);
        self.task.await.unwrap();
        self.done.load(Ordering::Acquire)
    }
}

/// Connects as `client` again and again until that comes about and a call succeeds.
async fn until_let_in(secured: &Secured, client: &Client) {
    let began = Instant::now();
    let mut turns = tokio::time::interval(EVERY);
    loop {
        turns.tick().await;
        let connected = client.connect(secured.address()).await;
        let is_in = match connected {
            Ok(channel) => knocks(&Caller::stranger(channel)).await.is_ok(),
            Err(_) => false,
        };
        if is_in {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{}", secured.process.log().so_far());
    }
}

/// Returns whether a new connection of `client` is refused.
async fn is_refused(secured: &Secured, client: &Client) -> bool {
    match client.connect(secured.address()).await {
        // With TLS 1.3 a client learns that it is refused with its first call.
        Ok(channel) => knocks(&Caller::stranger(channel)).await.is_err(),
        Err(_) => true,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_and_authorities_are_replaced_while_nobody_notices() {
    let secured = Secured::start().await;
    let before = secured.client(secured.sign("before", LOGIN));
    let with_certificate = Caller::stranger(before.connect(secured.address()).await.unwrap());
    let (servers, clients) = (Authority::new("new servers"), Authority::new("new clients"));
    let both = fs::read_to_string(secured.path("servers.pem")).unwrap() + &servers.pem;
    replace(&secured.path("both.pem"), &both);
    let either = Client { roots: secured.path("both.pem"), shows: None };
    let platform = secured.tenant.platform.clone();
    let work = [
        Work::over_one_connection(with_certificate),
        Work::over_one_connection(platform.clone()),
        Work::over_many(secured.address(), either, platform),
    ];
    replace(&secured.path("new-servers.pem"), &servers.pem);
    let new = clients.workload(LOGIN).place(secured.directory.path(), "after");
    let after = Client { roots: secured.path("new-servers.pem"), shows: Some(new) };
    until_let_in(&secured, &before).await;
    assert!(is_refused(&secured, &after).await);
    secured.swap(&servers, &clients);
    until_let_in(&secured, &after).await;
    // Who trusts the server of before, and whom only the authority of before knows.
    assert!(is_refused(&secured, &before).await);
    let half = Client { roots: after.roots.clone(), ..before.clone() };
    assert!(is_refused(&secured, &half).await);
    // What cannot be used is not used.
    fs::rename(secured.path("server.key"), secured.path("away.key")).unwrap();
    replace(&secured.path("server.key"), "half a key");
    let refused = secured.process.log().wait_for("new certificates cannot be used").await;
    assert!(refused.unwrap().contains("server.key"));
    until_let_in(&secured, &after).await;
    let so_far = work.each_ref().map(Work::done);
    for (work, before) in work.into_iter().zip(so_far) {
        assert!(work.end().await > before.max(50), "it has been at work all the while");
    }
    assert!(secured.process.stop().await.status.success());
}
