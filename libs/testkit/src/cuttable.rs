//! A TCP proxy in front of a server: a wire that tests cut, stall, delay and mend.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// Connections that wait to be accepted.
const BACKLOG: u32 = 1024;

/// Bytes that are passed on at once.
const CHUNK: usize = 16 * 1024;

/// How the wire is.
#[derive(Clone, Copy, Debug)]
struct Wire {
    /// How many times it was cut: a connection that began before the last cut is closed.
    cuts: u64,
    is_stalled: bool,
    loses_answers: bool,
    delay: Duration,
    /// Where new connections lead.
    to: SocketAddr,
}

/// A proxy on a free port of this machine. It ends with its handle.
#[derive(Debug)]
pub struct CuttableProxy {
    address: SocketAddr,
    wire: watch::Sender<Wire>,
    /// What holds the port: a task that accepts, or, while it is cut, a socket that does not listen, so that connections
    /// are refused and nobody else takes the port.
    port: Port,
}

#[derive(Debug)]
enum Port {
    Open(JoinHandle<()>),
    Shut(TcpSocket),
    Moving,
}

impl CuttableProxy {
    /// Starts a proxy in front of `to`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let wire =
            Wire { cuts: 0, is_stalled: false, loses_answers: false, delay: Duration::ZERO, to };
        let wire = watch::Sender::new(wire);
        let port = Port::Open(tokio::spawn(accept(listener, wire.subscribe())));
        Self { address, wire, port }
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leads new connections to another server.
    pub fn lead_to(&self, to: SocketAddr) {
        self.wire.send_modify(|wire| wire.to = to);
    }

    /// Closes all connections and refuses new ones, like a server that was killed.
    ///
    /// # Panics
    /// If somebody else took the port at that moment.
    pub async fn cut(&mut self) {
        if let Port::Open(accepting) = std::mem::replace(&mut self.port, Port::Moving) {
            accepting.abort();
            // It ends by being told to, which is no news.
            drop(accepting.await);
            self.port = Port::Shut(bind(self.address));
        }
        self.wire.send_modify(|wire| wire.cuts += 1);
    }

    /// Passes nothing on and closes nothing, like a network that drops what it is given. New connections come about and
    /// stay silent.
    pub fn stall(&self) {
        self.wire.send_modify(|wire| wire.is_stalled = true);
    }

    /// Passes on what callers say, and loses what they are answered.
    pub fn lose_answers(&self) {
        self.wire.send_modify(|wire| wire.loses_answers = true);
    }

    /// Passes every piece on only after `delay`.
    pub fn delay(&self, delay: Duration) {
        self.wire.send_modify(|wire| wire.delay = delay);
    }

    /// Takes connections again and passes everything on at once, first what was held back. What was lost stays lost.
    ///
    /// # Panics
    /// If the port cannot be listened at any more.
    pub fn mend(&mut self) {
        self.wire.send_modify(|wire| {
            wire.is_stalled = false;
            wire.loses_answers = false;
            wire.delay = Duration::ZERO;
        });
        self.port = match std::mem::replace(&mut self.port, Port::Moving) {
            Port::Shut(socket) => {
                let listener = socket.listen(BACKLOG).expect("the port is still ours");
                Port::Open(tokio::spawn(accept(listener, self.wire.subscribe())))
            }
            port @ (Port::Open(_) | Port::Moving) => port,
        };
    }
}

impl Drop for CuttableProxy {
    fn drop(&mut self) {
        if let Port::Open(accepting) = &self.port {
            accepting.abort();
        }
    }
}

fn bind(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("a socket's option is set");
    socket.bind(address).expect("nobody else takes the port");
    socket
}

async fn accept(listener: TcpListener, wire: watch::Receiver<Wire>) {
    while let Ok((accepted, _)) = listener.accept().await {
        let cuts = wire.borrow().cuts;
        tokio::spawn(connect(accepted, Line { cuts, wire: wire.clone() }));
    }
}

/// Passes on what comes over one connection, until it ends at both ends, is cut, or the proxy is gone.
async fn connect(accepted: TcpStream, line: Line) {
    let passed = async {
        let wire = line.clone().passable().await?;
        let onward = TcpStream::connect(wire.to).await.ok()?;
        // An option that cannot be set only makes it slower.
        drop(accepted.set_nodelay(true).and_then(|()| onward.set_nodelay(true)));
        let (from_caller, to_caller) = accepted.into_split();
        let (from_server, to_server) = onward.into_split();
        tokio::join!(
            pass(from_caller, to_server, line.clone(), |_| false),
            pass(from_server, to_caller, line.clone(), |wire| wire.loses_answers),
        );
        Some(())
    };
    tokio::select! {
        () = line.clone().cut() => {}
        _ = passed => {}
    }
}

/// What one connection knows of the wire.
#[derive(Clone, Debug)]
struct Line {
    cuts: u64,
    wire: watch::Receiver<Wire>,
}

impl Line {
    /// Waits until the wire is cut, or gone.
    async fn cut(mut self) {
        let cuts = self.cuts;
        // Either way the connection ends.
        drop(self.wire.wait_for(|wire| wire.cuts != cuts).await);
    }

    /// Waits until the wire passes something on. `None` if it is gone.
    async fn passable(mut self) -> Option<Wire> {
        self.wire.wait_for(|wire| !wire.is_stalled).await.ok().map(|wire| *wire)
    }
}

/// Passes one direction on but for what is lost, and its end.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    line: Line,
    is_lost: impl Fn(Wire) -> bool,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let count = from.read(&mut chunk).await.unwrap_or(0);
        let Some(wire) = line.clone().passable().await else { return };
        tokio::time::sleep(wire.delay).await;
        let Some(read) = chunk.get(..count).filter(|read| !read.is_empty()) else { return };
        if is_lost(wire) {
            continue;
        }
        if to.write_all(read).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use tokio::time::timeout;

    use super::*;

    /// Far longer than anything takes here.
    const SOON: Duration = Duration::from_secs(10);
    /// Long enough for what is not to arrive.
    const A_WHILE: Duration = Duration::from_millis(100);

    /// A server that says back what it hears.
    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (mut from, mut to) = stream.into_split();
                tokio::spawn(async move { tokio::io::copy(&mut from, &mut to).await });
            }
        });
        address
    }

    async fn said_back(stream: &mut TcpStream, word: &[u8]) -> std::io::Result<Vec<u8>> {
        stream.write_all(word).await?;
        heard(stream, word.len()).await
    }

    async fn heard(stream: &mut TcpStream, count: usize) -> std::io::Result<Vec<u8>> {
        let mut heard = vec![0; count];
        timeout(SOON, stream.read_exact(&mut heard)).await.expect("an answer or an end")?;
        Ok(heard)
    }

    #[tokio::test]
    async fn a_cut_closes_connections_and_refuses_new_ones_until_it_is_mended() {
        let mut proxy = CuttableProxy::start(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_back(&mut stream, b"one").await.unwrap(), b"one");
        proxy.cut().await;
        assert!(heard(&mut stream, 1).await.is_err());
        let refused = TcpStream::connect(proxy.address()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        proxy.mend();
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_back(&mut stream, b"two").await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_stalled_wire_holds_back_and_closes_nothing_until_it_is_mended() {
        let mut proxy = CuttableProxy::start(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_back(&mut stream, b"one").await.unwrap(), b"one");
        proxy.stall();
        stream.write_all(b"two").await.unwrap();
        let mut byte = [0];
        assert!(timeout(A_WHILE, stream.read(&mut byte)).await.is_err(), "nothing comes");
        let mut later = TcpStream::connect(proxy.address()).await.unwrap();
        later.write_all(b"three").await.unwrap();
        assert!(timeout(A_WHILE, later.read(&mut byte)).await.is_err(), "nothing comes");
        proxy.mend();
        assert_eq!(heard(&mut stream, 3).await.unwrap(), b"two");
        assert_eq!(heard(&mut later, 5).await.unwrap(), b"three");
    }

    #[tokio::test]
    async fn answers_that_were_lost_stay_lost_and_later_ones_arrive() {
        let mut proxy = CuttableProxy::start(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.lose_answers();
        stream.write_all(b"one").await.unwrap();
        let mut byte = [0];
        assert!(timeout(A_WHILE, stream.read(&mut byte)).await.is_err(), "nothing comes");
        proxy.mend();
        assert_eq!(said_back(&mut stream, b"two").await.unwrap(), b"two");
    }

    #[tokio::test]
    async fn a_delayed_wire_takes_its_time() {
        let proxy = CuttableProxy::start(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        proxy.delay(A_WHILE);
        let began = tokio::time::Instant::now();
        assert_eq!(said_back(&mut stream, b"one").await.unwrap(), b"one");
        assert!(began.elapsed() >= 2 * A_WHILE, "there and back");
    }

    #[tokio::test]
    async fn the_end_of_one_side_reaches_the_other() {
        let proxy = CuttableProxy::start(echo().await).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_back(&mut stream, b"one").await.unwrap(), b"one");
        stream.shutdown().await.unwrap();
        assert_eq!(timeout(SOON, stream.read(&mut [0])).await.unwrap().unwrap(), 0);
    }

    #[tokio::test]
    async fn new_connections_can_be_led_elsewhere() {
        let gone = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let proxy = CuttableProxy::start(gone).await;
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert!(said_back(&mut stream, b"one").await.is_err());
        proxy.lead_to(echo().await);
        let mut stream = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(said_back(&mut stream, b"two").await.unwrap(), b"two");
    }
}
