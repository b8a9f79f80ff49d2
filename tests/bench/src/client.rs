//! Connections to the servers, and what every request carries.

use std::{net::SocketAddr, time::Duration};

use anyhow::Context as _;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

/// Callers that share one HTTP/2 connection, as those of one busy platform would.
pub(crate) const CALLERS_PER_CONNECTION: usize = 16;

const ANSWER_WITHIN: Duration = Duration::from_secs(30);

pub(crate) type Service = InterceptedService<Channel, Credentials>;

/// Opens one connection.
pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Channel> {
    Endpoint::from_shared(format!("http://{address}"))?
        .timeout(ANSWER_WITHIN)
        .tcp_nodelay(true)
        .connect()
        .await
        .with_context(|| format!("cannot connect to {address}"))
}

/// Opens the connections that `callers` share, and returns one for each of them.
pub(crate) async fn connect_all(
    address: SocketAddr,
    callers: usize,
) -> anyhow::Result<Vec<Channel>> {
    let mut channels = Vec::with_capacity(callers);
    while channels.len() < callers {
        let sharing = CALLERS_PER_CONNECTION.min(callers - channels.len());
        let channel = connect(address).await?;
        channels.extend(std::iter::repeat_n(channel, sharing));
    }
    Ok(channels)
}

/// Who asks, and in which tenant. The default says neither, which bare servers do not mind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Credentials {
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    pub(crate) fn new(key: &str, tenant: Option<&str>) -> anyhow::Result<Self> {
        let unprintable = "an API key has printable ASCII characters only";
        let mut authorization: MetadataValue<Ascii> =
            format!("Bearer {key}").parse().context(unprintable)?;
        authorization.set_sensitive(true);
        let tenant = tenant.map(str::parse).transpose().context("the tenant has no such name")?;
        Ok(Self { authorization: Some(authorization), tenant })
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(tenant) = &self.tenant {
            request.metadata_mut().insert("countersign-tenant", tenant.clone());
        }
        Ok(request)
    }
}
