//! The server's door: it lets connections in, and is not held by those who are slow to say who they are.

use std::{
    collections::VecDeque,
    fmt, io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::stream::{BoxStream, Stream, StreamExt as _, unfold};
use tokio::{
    net::{TcpListener, TcpStream},
    task::{AbortHandle, JoinSet},
    time::Instant,
};
use tokio_rustls::TlsAcceptor;

use crate::{ServerStream, ServerTls, verify::HandshakeFailure};

/// How long to wait when the operating system gives no more connections, as when there are too many open files.
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// How handshakes are bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeLimits {
    /// How many there may be at once.
    pub at_once: usize,
    /// How long one may take.
    pub within: Duration,
    /// How long one may take at least: when there are as many as there may be, the oldest one makes room for whoever waits
    /// at the door, but not before it had this long.
    pub at_least: Duration,
}

impl Default for HandshakeLimits {
    fn default() -> Self {
        Self { at_once: 512, within: Duration::from_secs(10), at_least: Duration::from_secs(1) }
    }
}

/// Connections as they come in: for `tonic::transport::Server::serve_with_incoming`. It never fails and never ends;
/// dropping it closes the door.
pub struct Incoming {
    address: SocketAddr,
    streams: BoxStream<'static, ServerStream>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Incoming {
    /// Lets connections in through `listener`, over TLS if there is `tls`.
    ///
    /// # Errors
    /// Says that the listener has no address.
    pub fn new(
        listener: TcpListener,
        tls: Option<ServerTls>,
        limits: HandshakeLimits,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let door = Door {
            listener,
            tls,
            limits,
            handshakes: JoinSet::new(),
            begun: VecDeque::new(),
            waiting: None,
        };
        let streams = unfold(door, async |mut door| Some((door.next().await, door)));
        Ok(Self { address, streams: streams.boxed() })
    }

    /// Returns where the door is.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Stream for Incoming {
    type Item = io::Result<ServerStream>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.streams.poll_next_unpin(cx).map(|next| next.map(Ok))
    }
}

struct Door {
    listener: TcpListener,
    tls: Option<ServerTls>,
    limits: HandshakeLimits,
    handshakes: JoinSet<Option<ServerStream>>,
    /// When handshakes began, the oldest one first; some have ended.
    begun: VecDeque<(Instant, AbortHandle)>,
    /// Who came when there was no room.
    waiting: Option<(TcpStream, SocketAddr)>,
}

impl Door {
    async fn next(&mut self) -> ServerStream {
        loop {
            self.admit();
            let patience = self.patience();
            tokio::select! {
                Some(done) = self.handshakes.join_next() => {
                    if let Ok(Some(stream)) = done {
                        return stream;
                    }
                }
                (tcp, remote) = accept(&self.listener), if self.waiting.is_none() => {
                    if self.tls.is_none() {
                        return ServerStream::plain(tcp, remote);
                    }
                    self.waiting = Some((tcp, remote));
                }
                () = until(patience), if self.waiting.is_some() => {
                    self.cut_oldest();
                    // Before another one is cut: one makes room for one.
                    if let Some(Ok(Some(stream))) = self.handshakes.join_next().await {
                        return stream;
                    }
                }
            }
        }
    }

    /// Begins the handshake with whoever waits, if there is room.
    fn admit(&mut self) {
        // One at least, or nobody would ever come in.
        if self.handshakes.len() >= self.limits.at_once.max(1) {
            return;
        }
        if let (Some(tls), Some((tcp, remote))) = (&self.tls, self.waiting.take()) {
            let greeting = greet(tcp, remote, tls.acceptor(), self.limits.within);
            self.forget_ended();
            self.begun.push_back((Instant::now(), self.handshakes.spawn(greeting)));
        }
    }

    fn forget_ended(&mut self) {
        while self.begun.front().is_some_and(|(_, handshake)| handshake.is_finished()) {
            self.begun.pop_front();
        }
        // Those behind a slow one.
        if self.begun.len() > self.limits.at_once.saturating_mul(2) {
            self.begun.retain(|(_, handshake)| !handshake.is_finished());
        }
    }

    /// Returns until when the oldest handshake is left alone though somebody waits.
    fn patience(&mut self) -> Option<Instant> {
        self.forget_ended();
        self.begun.front().and_then(|(began, _)| began.checked_add(self.limits.at_least))
    }

    fn cut_oldest(&mut self) {
        if let Some((_, oldest)) = self.begun.pop_front() {
            oldest.abort();
            tracing::debug!("a slow handshake makes room for another");
        }
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Waits for the next connection, however long the operating system gives none.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((tcp, remote)) => {
                if let Err(error) = tcp.set_nodelay(true) {
                    tracing::debug!(%error, "a connection sends its small packets late");
                }
                return (tcp, remote);
            }
            // It was given up before it was let in.
            Err(error) if is_about_connection(error.kind()) => {
                tracing::debug!(%error, "not let in");
            }
            Err(error) => {
                tracing::warn!(%error, "no connections can be let in now");
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

fn is_about_connection(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(kind, ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Does the handshake; `None` if nothing comes of it.
async fn greet(
    tcp: TcpStream,
    remote: SocketAddr,
    acceptor: TlsAcceptor,
    within: Duration,
) -> Option<ServerStream> {
    let Ok(done) = tokio::time::timeout(within, acceptor.accept(tcp)).await else {
        tracing::debug!(%remote, "a handshake took too long");
        return None;
    };
    let tls = match done {
        Ok(tls) => ServerStream::tls(tls, remote),
        Err(error) => {
            let HandshakeFailure { is_about_certificate, what } = HandshakeFailure::of(&error);
            if is_about_certificate {
                tracing::info!(%remote, error = what, "a client's certificate is refused");
            } else {
                tracing::debug!(%remote, error = what, "a handshake failed");
            }
            return None;
        }
    };
    tls.inspect_err(|error| tracing::warn!(%remote, %error, "a certificate was read in two ways"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_packets_are_sent_at_once() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, accepted) = tokio::join!(TcpStream::connect(address), accept(&listener));
        assert!(accepted.0.nodelay().unwrap());
        assert_eq!(accepted.1, client.unwrap().local_addr().unwrap());
    }
}
