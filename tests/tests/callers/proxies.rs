//! API keys that are confined to addresses, behind proxies.

use countersign::serve::ServiceName;
use countersign_proto::admin::{CreateApiKeyRequest, GetTenantRequest, Role};
use countersign_service::{limits::Limits, peers::PeerAddresses};
use countersign_tests::{Caller, House, Tenant, connect};
use tonic::{Request, Status, transport::Channel};

use crate::probes::is_nobody;

/// Issues a key for callers in 192.0.2.0/24.
pub(crate) async fn confined(tenant: &Tenant) -> String {
    let request = CreateApiKeyRequest {
        display_name: "from one network".to_owned(),
        roles: vec![Role::Auditor.into()],
        allowed_addresses: vec!["192.0.2.0/24".to_owned()],
        ..Default::default()
    };
    tenant.admin.admin().create_api_key(request).await.unwrap().into_inner().secret
}

/// Calls with `key` through `channel`, over which proxies wrote `hops`.
async fn through(channel: &Channel, key: &str, hops: &[&str]) -> Result<(), Status> {
    let mut request = Request::new(GetTenantRequest {});
    for hop in hops {
        request.metadata_mut().append("x-forwarded-for", hop.parse().unwrap());
    }
    Caller::new(channel.clone(), key).admin().get_tenant(request).await.map(drop)
}

/// A house behind a proxy on this machine.
pub(crate) async fn behind_a_proxy() -> House {
    let trusted_proxies = vec!["127.0.0.0/8".parse().unwrap()];
    House::limited(Limits { trusted_proxies, ..Limits::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_opens_from_its_network_as_a_trusted_proxy_names_it() {
    let house = behind_a_proxy().await;
    let key = confined(&house.tenant("acme").await).await;
    let channel = house.channel();
    for hops in [&["192.0.2.7"][..], &["203.0.113.9, 192.0.2.7"], &["203.0.113.9", "192.0.2.7"]] {
        through(&channel, &key, hops).await.unwrap();
    }
    for hops in [
        &[][..],
        &["203.0.113.9"],
        // What stands before the address that the proxy wrote is only that client's word.
        &["192.0.2.7, 203.0.113.9"],
        &["192.0.2.7", "203.0.113.9"],
        &["192.0.2.7, nonsense"],
    ] {
        is_nobody(&through(&channel, &key, hops).await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_is_believed_about_addresses() {
    let house = House::single().await;
    let key = confined(&house.tenant("acme").await).await;
    for hops in [&["192.0.2.7"][..], &[]] {
        is_nobody(&through(&house.channel(), &key, hops).await.unwrap_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_passes_a_call_on_tells_where_it_came_from() {
    let house = behind_a_proxy().await;
    let key = confined(&house.tenant("acme").await).await;
    let urls = vec![format!("http://{}", house.address())];
    let peers = PeerAddresses::parse([("enrollment", &urls)]).unwrap();
    let door = house.door(&[ServiceName::Challenge], peers).await;
    let channel = connect(door.address()).await;
    through(&channel, &key, &["192.0.2.7"]).await.unwrap();
    for hops in [&["203.0.113.9"][..], &[]] {
        is_nobody(&through(&channel, &key, hops).await.unwrap_err());
    }
    door.stop().await.unwrap();
}
