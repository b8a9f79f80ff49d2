//! How many connections there may be, and that each says something soon.

use std::{
    io,
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use futures_util::{Stream, StreamExt as _};
use http::Extensions;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};
use tonic::transport::server::Connected;

use super::{
    Limits,
    settings::count,
    source::{Source, TrustedProxies, remote_address},
    tally::{Counted, Tally},
};

/// How long a new connection may take to say what it speaks. From then on the transport looks after it: HTTP/2 has to answer
/// pings, HTTP/1.1 has to finish its headers.
const SPEAKS_WITHIN: Duration = Duration::from_secs(10);

/// How much it has to say by then: the preface of HTTP/2 (RFC 9113 section 3.4). No request of HTTP/1.1 that is answered is
/// shorter.
const PREFACE: usize = 24;

/// How often it is said that connections were refused.
const SAY_EVERY: Duration = Duration::from_secs(10);

/// Lets in the connections of `incoming` that `limits` allow; others are closed at once, before anything is read.
pub fn limited<S, IO>(
    incoming: S,
    limits: &Limits,
) -> impl Stream<Item = io::Result<LimitedConnection<IO>>> + use<S, IO>
where
    S: Stream<Item = io::Result<IO>>,
    IO: Connected,
{
    let mut door = Door {
        proxies: TrustedProxies::new(&limits.trusted_proxies),
        open: Tally::new(count(limits.max_connections_per_source), count(limits.max_connections)),
        refused: 0,
        said_at: None,
    };
    incoming.filter_map(move |accepted| {
        std::future::ready(match accepted {
            Ok(connection) => door.admit(connection).map(Ok),
            Err(error) => Some(Err(error)),
        })
    })
}

/// Where connections come in.
struct Door {
    proxies: TrustedProxies,
    open: Arc<Tally<Source>>,
    /// How many were refused since that was said last.
    refused: u64,
    said_at: Option<Instant>,
}

impl Door {
    fn admit<IO: Connected>(&mut self, connection: IO) -> Option<LimitedConnection<IO>> {
        let mut about = Extensions::new();
        about.insert(connection.connect_info());
        let address = remote_address(&about);
        // The connections of a proxy are those of all who are behind it.
        let source = address.filter(|address| !self.proxies.trusts(*address)).map(Source::from);
        match self.open.enter(source) {
            Ok(counted) => Some(LimitedConnection {
                connection,
                silence: Some(Silence { timer: Box::pin(sleep(SPEAKS_WITHIN)), heard: 0 }),
                _counted: counted,
            }),
            Err(full) => {
                self.refuse(address, full);
                None
            }
        }
    }

    fn refuse(&mut self, address: Option<IpAddr>, full: super::tally::Full) {
        self.refused += 1;
        if self.said_at.is_some_and(|at| at.elapsed() < SAY_EVERY) {
            return;
        }
        self.said_at = Some(Instant::now());
        tracing::warn!(refused = self.refused, latest = ?address, ?full, "connections refused");
        self.refused = 0;
    }
}

/// A connection that is counted as long as it is there.
#[derive(Debug)]
pub struct LimitedConnection<IO> {
    connection: IO,
    /// `None` when it has spoken.
    silence: Option<Silence>,
    _counted: Counted<Source>,
}

#[derive(Debug)]
struct Silence {
    timer: Pin<Box<Sleep>>,
    /// How many bytes came.
    heard: usize,
}

impl<IO: Connected> Connected for LimitedConnection<IO> {
    type ConnectInfo = IO::ConnectInfo;

    fn connect_info(&self) -> IO::ConnectInfo {
        self.connection.connect_info()
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for LimitedConnection<IO> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.connection).poll_read(context, buffer);
        let Some(silence) = &mut this.silence else { return polled };
        silence.heard += buffer.filled().len() - before;
        if silence.heard >= PREFACE {
            this.silence = None;
        } else if polled.is_pending() {
            ready!(silence.timer.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        polled
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for LimitedConnection<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.connection).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.connection.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.connection).poll_shutdown(context)
    }
}
