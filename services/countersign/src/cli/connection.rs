//! A connection to the API with the caller's key on every request.

use std::{fmt, str::FromStr, time::Duration};

use countersign_core::SecretString;
use countersign_proto::{
    admin::admin_service_client::AdminServiceClient,
    audit::audit_service_client::AuditServiceClient,
    challenge::challenge_service_client::ChallengeServiceClient,
    enrollment::enrollment_service_client::EnrollmentServiceClient,
    policy::policy_service_client::PolicyServiceClient,
    status::status_service_client::StatusServiceClient,
};
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, Endpoint},
};

use super::{Failure, global::Global};

/// Longer than any unary call of ours takes; streams are not bound by it once they begin.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Where a server listens, as an `http` URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerAddress(String);

impl ServerAddress {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
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
        const FORM: &str = "must be a URL such as http://127.0.0.1:7443";
        let url = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let url = url.trim_end_matches('/').to_owned();
        let parsed = Endpoint::from_shared(url.clone()).map_err(|_| FORM)?;
        match parsed.uri().scheme_str() {
            Some("http") if parsed.uri().authority().is_some() => Ok(Self(url)),
            Some("https") => Err("TLS is not spoken yet: put the server behind a local proxy"),
            _ => Err(FORM),
        }
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
        let credentials = Credentials::new(&global.key()?, global.tenant.as_deref())?;
        let channel = connect(&global.server).await?;
        Ok(Self { channel, credentials })
    }

    /// Goes on over the same connection as somebody else.
    pub(crate) fn acting_as(
        &self,
        key: &SecretString,
        tenant: Option<&str>,
    ) -> Result<Self, Failure> {
        let credentials = Credentials::new(key, tenant)?;
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

    pub(crate) fn status(&self) -> StatusServiceClient<Service> {
        StatusServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }

    pub(crate) fn policy(&self) -> PolicyServiceClient<Service> {
        PolicyServiceClient::with_interceptor(self.channel.clone(), self.credentials.clone())
    }
}

/// Opens a channel, so that a server that is away is noticed before anything is asked of it.
pub(crate) async fn connect(address: &ServerAddress) -> Result<Channel, Failure> {
    let unreachable = |source| Failure::Unreachable { address: address.clone(), source };
    let endpoint = Endpoint::from_shared(address.0.clone()).map_err(unreachable)?;
    endpoint
        .connect_timeout(CONNECT_WITHIN)
        .timeout(ANSWER_WITHIN)
        .tcp_nodelay(true)
        .connect()
        .await
        .map_err(unreachable)
}

/// What every request carries. The key is marked sensitive: it is shown in no `Debug` and kept out of header tables.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    authorization: MetadataValue<Ascii>,
    tenant: Option<MetadataValue<Ascii>>,
}

impl Credentials {
    fn new(key: &SecretString, tenant: Option<&str>) -> Result<Self, Failure> {
        let usage = |_| Failure::Usage("an API key has printable ASCII characters only".to_owned());
        let mut authorization: MetadataValue<Ascii> =
            format!("Bearer {}", key.expose()).parse().map_err(usage)?;
        authorization.set_sensitive(true);
        let credentials = Self { authorization, tenant: None };
        match tenant {
            Some(tenant) => credentials.in_tenant(tenant),
            None => Ok(credentials),
        }
    }

    fn in_tenant(mut self, tenant: &str) -> Result<Self, Failure> {
        let name = tenant.parse();
        let name =
            name.map_err(|_| Failure::Usage(format!("{tenant:?} is no name of a tenant")))?;
        self.tenant = Some(name);
        Ok(self)
    }
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.authorization.clone());
        if let Some(tenant) = &self.tenant {
            request.metadata_mut().insert("countersign-tenant", tenant.clone());
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
        let mut credentials = Credentials::new(&key, Some("acme")).unwrap();
        let request = credentials.call(Request::new(())).unwrap();
        assert_eq!(request.metadata().get("authorization").unwrap(), "Bearer k1.hunter2");
        assert_eq!(request.metadata().get("countersign-tenant").unwrap(), "acme");
        assert!(!format!("{credentials:?}").contains("hunter2"));
    }

    #[test]
    fn a_key_that_cannot_be_sent_is_a_mistake_of_usage() {
        let key = SecretString::new("two\nlines".to_owned());
        assert!(matches!(Credentials::new(&key, None), Err(Failure::Usage(_))));
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
        assert!("https://x".parse::<ServerAddress>().unwrap_err().contains("TLS"));
    }
}
