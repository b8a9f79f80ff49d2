//! A connection to the API with the caller's key on every request.

use std::{fmt, str::FromStr, time::Duration};

use countersign_core::SecretString;
use countersign_proto::{
    admin::admin_service_client::AdminServiceClient,
    audit::audit_service_client::AuditServiceClient,
    challenge::challenge_service_client::ChallengeServiceClient,
    enrollment::enrollment_service_client::EnrollmentServiceClient,
    keys::key_service_client::KeyServiceClient, policy::policy_service_client::PolicyServiceClient,
    status::status_service_client::StatusServiceClient,
};
use countersign_tls::Connector;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};

use super::{Failure, global::Global};

/// Longer than any unary call of ours takes; streams are not bound by it once they begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Where a server listens, as an `http` or `https` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress(String);

impl ServerAddress {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether TLS is spoken there.
    pub(crate) fn is_tls(&self) -> bool {
        self.0.starts_with("https:")
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ServerAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str =
            "must be a URL such as http://127.0.0.1:7443 or https://mfa.example.com:7443";
        let (scheme, place) = text.split_once("://").unwrap_or(("http", text));
        // In small letters, because whether there is TLS is decided by it.
        let scheme = scheme.to_ascii_lowercase();
        let url = format!("{scheme}://{}", place.trim_end_matches('/'));
        let parsed = Endpoint::from_shared(url.clone()).map_err(|_| FORM)?;
        let is_known = scheme == "http" || scheme == "https";
        if is_known && parsed.uri().authority().is_some() { Ok(Self(url)) } else { Err(FORM) }
    }
}

/// A client of every service.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    channel: Channel,
    credentials: Credentials,
}

pub(crate) type Service = InterceptedService<Channel, Credentials>;

impl Connection {
    /// Connects as the global flags say.
    pub(crate) async fn open(global: &Global) -> Result<Self, Failure> {
        // The key comes first: whoever lacks one should hear of that and not of the network.
        let credentials = Credentials::new(global.key()?.as_ref(), global.tenant.as_deref())?
            .under(global.approval.as_deref())?;
        let channel = connect(&global.server, global.tls.connector(&global.server)?).await?;
        Ok(Self { channel, credentials })
    }

    /// Goes on over the same connection as somebody else.
    pub(crate) fn acting_as(
        &self,
        key: &SecretString,
        tenant: Option<&str>,
    ) -> Result<Self, Failure> {
        let credentials = Credentials::new(Some(key), tenant)?;
        Ok(Self { channel: self.channel.clone(), credentials })
    }

    /// Goes on as the same caller, in another tenant.
    pub(crate) fn in_tenant(&self, tenant: &str) -> Result<Self, Failure> {
        let credentials = self.credentials.clone().in_tenant(tenant)?;
        Ok(Self { channel: self.channel.clone(), credentials })
    }

    pub(crate) fn admin(&self) -> AdminServiceClient<Service> {
        AdminServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Service> {
        AuditServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn challenge(&self) -> ChallengeServiceClient<Service> {
        ChallengeServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn enrollment(&self) -> EnrollmentServiceClient<Service> {
        EnrollmentServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn keys(&self) -> KeyServiceClient<Service> {
        KeyServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn status(&self) -> StatusServiceClient<Service> {
        StatusServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn policy(&self) -> PolicyServiceClient<Service> {
        PolicyServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }
}

/// Opens a channel, so that a server that is away, or lets nobody like us in, is noticed before anything is asked of it.
pub(crate) async fn connect(
    address: &ServerAddress,
    tls: Option<Connector>,
) -> Result<Channel, Failure> {
    let unreachable = |source| Failure::unreachable(address, source);
    let endpoint = Endpoint::from_shared(address.0.clone()).map_err(unreachable)?;
    let endpoint =
        endpoint.connect_timeout(CONNECT_WITHIN).timeout(ANSWER_WITHIN).tcp_nodelay(true);
    let connected = match tls {
        Some(connector) => endpoint.connect_with_connector(connector).await,
        None => endpoint.connect().await,
    };
    let channel = connected.map_err(unreachable)?;
    greet(channel.clone()).await.map_err(|status| Failure::shut_out(address, &status))?;
    Ok(channel)
}

/// Asks how the server does, whatever it says: with the first answer it is known that it lets us in. A client hears of a
/// certificate that is refused, or missing, after the handshake (RFC 8446 section 4.4.2.4), and of TLS where it speaks plain
/// text not before it reads.
async fn greet(channel: Channel) -> Result<(), Status> {
    let request = HealthCheckRequest { service: String::new() };
    match HealthClient::new(channel).check(request).await {
        // What a server answers has no cause on this side.
        Err(status) if std::error::Error::source(&status).is_some() => Err(status),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What every request carries. The key is marked sensitive: it is shown in no `Debug` and kept out of header tables.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    /// Absent for whoever is known by their certificate.
    authorization: Option<MetadataValue<Ascii>>,
    tenant: Option<MetadataValue<Ascii>>,
    approval: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    fn new(key: Option<&SecretString>, tenant: Option<&str>) -> Result<Self, Failure> {
        let authorization = key.map(bearer).transpose()?;
        let credentials = Self { authorization, tenant: None, approval: None };
        match tenant {
            Some(tenant) => credentials.in_tenant(tenant),
            None => Ok(credentials),
        }
    }

    /// Says with every request under which approval it is made.
    fn under(mut self, approval: Option<&str>) -> Result<Self, Failure> {
        let given = approval.map(str::parse).transpose();
        let usage =
            |_| Failure::Usage("an approval's id has printable ASCII characters".to_owned());
        self.approval = given.map_err(usage)?;
        Ok(self)
    }

    fn in_tenant(mut self, tenant: &str) -> Result<Self, Failure> {
        let name = tenant.parse();
        let name =
            name.map_err(|_| Failure::Usage(format!("{tenant:?} is no name of a tenant")))?;
        self.tenant = Some(name);
        Ok(self)
    }
}

fn bearer(key: &SecretString) -> Result<MetadataValue<Ascii>, Failure> {
    let usage = |_| Failure::Usage("an API key has printable ASCII characters only".to_owned());
    let mut value: MetadataValue<Ascii> =
        format!("Bearer {}", key.expose()).parse().map_err(usage)?;
    value.set_sensitive(true);
    Ok(value)
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        if let Some(tenant) = &self.tenant {
            request.metadata_mut().insert("countersign-tenant", tenant.clone());
        }
        if let Some(approval) = &self.approval {
            request.metadata_mut().insert("countersign-approval", approval.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_carries_the_key_and_the_tenant() {
        let key = SecretString::new("k1.hunter2".to_owned());
        let mut credentials = Credentials::new(Some(&key), Some("acme")).unwrap();
        let request = credentials.call(Request::new(())).unwrap();
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer k1.hunter2");
        assert_eq!(request.metadata().get("countersign-tenant").unwrap(), "acme");
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_a_mistake_of_usage() {
        let key = SecretString::new("two\nlines".to_owned());
        assert!(matches!(Credentials::new(Some(&key), None), Err(Failure::Usage(_))));
    }

    #[test]
    fn an_address_without_a_scheme_is_plain_http() {
        let address = "127.0.0.1:7443".parse::<ServerAddress>().unwrap();
        assert_eq!(address.as_str(), "http://127.0.0.1:7443");
        assert_eq!(
            "http://localhost:1/".parse::<ServerAddress>().unwrap().as_str(),
            "http://localhost:1"
        );
        assert!("ftp://x".parse::<ServerAddress>().is_err());
    }

    #[test]
    fn an_address_says_whether_tls_is_spoken_there() {
        let address = |text: &str| text.parse::<ServerAddress>().unwrap();
        assert!(address("https://mfa.example.com").is_tls());
        assert!(address("HTTPS://mfa.example.com:7443/").is_tls());
        assert!(!address("http://https:1").is_tls());
        assert!(!address("https:1").is_tls(), "that is a host of this name");
    }

    #[tokio::test]
    async fn somebody_who_hangs_up_is_told_from_nobody_at_all() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        tokio::spawn(async move { while listener.accept().await.is_ok() {} });
        let failure = connect(&address, None).await.unwrap_err();
        assert!(matches!(failure, Failure::ShutOut { .. }), "{failure:?}");
        let lines = failure.lines().join("\n");
        assert!(lines.contains("does not let us in") && lines.contains("https://"), "{lines}");
    }

    #[test]
    fn whoever_is_known_by_a_certificate_sends_no_key() {
        let mut credentials = Credentials::new(None, Some("acme")).unwrap();
        let request = credentials.call(Request::new(())).unwrap();
        assert!(request.metadata().get("authorization").is_none());
        assert_eq!(request.metadata().get("countersign-tenant").unwrap(), "acme");
    }
}
