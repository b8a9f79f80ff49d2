//! One replica of a service: its connection, how busy it is, and whether it failed lately.

use std::{
    error::Error,
    net::SocketAddr,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_TYPE, TE},
};
use parking_lot::Mutex;
use tonic::{
    body::Body,
    transport::{Channel, Endpoint},
};
use tower::ServiceExt as _;

use super::{
    address::PeerAddress, advice::is_on_the_way, held::Once, methods::PREFIX, secure::PeerTls,
};

/// How long a connection may take to come about.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// How often a connection is asked whether anyone is still there, and how long the answer may take: so a cut is noticed
/// within three seconds, on a connection that is not used, too.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
const ALIVE_WITHIN: Duration = Duration::from_secs(2);

/// How long a replica is left alone after it failed before it is asked whether it is well: twice as long each time, up to
/// a limit.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// How long its answer to that may take.
const PROBE_WITHIN: Duration = Duration::from_millis(1_500);

/// A message without fields, with its prefix.
const NO_FIELDS: Bytes = Bytes::from_static(&[0; PREFIX]);

/// One replica.
#[derive(Debug)]
pub(super) struct Replica {
    service: &'static str,
    address: SocketAddr,
    channel: Channel,
    under_way: AtomicUsize,
    rest: Mutex<Rest>,
}

/// Whether a replica is left alone.
#[derive(Debug, Default)]
struct Rest {
    /// Failures without an answered call in between.
    failures: u32,
    lasts: bool,
}

impl Rest {
    fn length(&self) -> Duration {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        FIRST_REST.saturating_mul(doubled).min(LONGEST_REST)
    }
}

impl Replica {
    /// Makes a replica that is connected to when it is first called.
    ///
    /// # Errors
    /// Says that the address cannot be connected to, as one with a scope, or one over TLS where nothing is said of TLS.
    pub(super) fn new(
        service: &'static str,
        address: SocketAddr,
        named: &PeerAddress,
        tls: Option<&PeerTls>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))?
            // What stands between may choose by the name.
            .origin(named.origin().clone())
            .connect_timeout(CONNECT_WITHIN)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(ALIVE_EVERY)
            .keep_alive_timeout(ALIVE_WITHIN)
            .keep_alive_while_idle(true);
        let channel = if named.is_tls() {
            let tls = tls.ok_or("it is https, and nothing is said of TLS to peers")?;
            endpoint.connect_with_connector_lazy(tls.connector(service, named)?)
        } else {
            endpoint.connect_lazy()
        };
        Ok(Self {
            service,
            address,
            channel,
            under_way: AtomicUsize::new(0),
            rest: Mutex::default(),
        })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Returns how many calls are under way.
    pub(super) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::Acquire)
    }

    /// Returns whether it failed lately and is left alone.
    pub(super) fn rests(&self) -> bool {
        self.rest.lock().lasts
    }

    /// Begins a call.
    pub(super) fn enter(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        UnderWay { replica: Arc::clone(self) }
    }

    /// Leaves it alone until it says itself that it is well, so that no caller has to find out.
    fn failed(self: &Arc<Self>) {
        let mut rest = self.rest.lock();
        rest.failures = rest.failures.saturating_add(u32::from(!rest.lasts));
        if !std::mem::replace(&mut rest.lasts, true) {
            let (service, address) = (self.service, self.address);
            tracing::warn!(service, %address, "a replica fails and is left alone for now");
            tokio::spawn(find_out(Arc::downgrade(self), rest.length()));
        }
    }

    fn answered(&self) {
        let mut rest = self.rest.lock();
        if rest.failures > 0 {
            *rest = Rest::default();
            let (service, address) = (self.service, self.address);
            tracing::info!(service, %address, "a replica answers again");
        }
    }

    /// Asks for its health, which anybody may. Whatever it answers, it does.
    async fn is_well(&self) -> bool {
        let mut request = Request::new(Body::new(Once::new(NO_FIELDS, &Arc::default())));
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from_static("/grpc.health.v1.Health/Check");
        let headers = request.headers_mut();
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let answer = tokio::time::timeout(PROBE_WITHIN, self.channel().oneshot(request)).await;
        answer.is_ok_and(|answer| answer.is_ok_and(|response| !is_on_the_way(&response)))
    }
}

/// Asks a replica from time to time whether it is well, until it is or nobody knows it any more.
async fn find_out(replica: Weak<Replica>, mut pause: Duration) {
    loop {
        tokio::time::sleep(pause).await;
        let Some(replica) = replica.upgrade() else { return };
        let is_well = replica.rests() && replica.is_well().await;
        let mut rest = replica.rest.lock();
        if is_well {
            // Only a call that it answers makes up for its failures.
            rest.lasts = false;
        }
        if !rest.lasts {
            return;
        }
        rest.failures = rest.failures.saturating_add(1);
        pause = rest.length();
    }
}

/// A call that is under way at a replica, until this is dropped.
#[derive(Debug)]
pub(super) struct UnderWay {
    replica: Arc<Replica>,
}

impl UnderWay {
    pub(super) fn replica(&self) -> &Replica {
        &self.replica
    }

    /// Notes that the replica could not be reached, or was lost: it is left alone for a while.
    pub(super) fn failed(&self) {
        self.replica.failed();
    }

    /// Notes that the replica answers.
    pub(super) fn answered(&self) {
        self.replica.answered();
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.replica.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_longer_each_time_up_to_a_limit() {
        let length = |failures| Rest { failures, lasts: true }.length().as_millis();
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 99].map(length),
            [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]
        );
    }

    #[tokio::test]
    async fn calls_that_are_lost_together_count_as_one_failure() {
        let named = PeerAddress::parse("http://audit:1").unwrap();
        let replica = Replica::new("audit", "127.0.0.1:1".parse().unwrap(), &named, None).unwrap();
        let replica = Arc::new(replica);
        let calls = [(); 8].map(|()| replica.enter());
        assert_eq!(replica.under_way(), 8);
        calls.iter().for_each(UnderWay::failed);
        assert!(replica.rests());
        assert_eq!(replica.rest.lock().failures, 1);
        drop(calls);
        assert_eq!(replica.under_way(), 0);
        replica.answered();
        assert!(!replica.rests());
    }
}
