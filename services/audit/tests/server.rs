//! The service behind a real server, as a client meets it.

mod support;

use std::sync::Arc;

use countersign_audit::audit_server;
use countersign_proto::audit::{
    GetStateAsOfRequest, ReplayEventsRequest, audit_service_client::AuditServiceClient,
    replay_events_response::Item,
};
use support::{House, auditor, event, facts::*};
use tonic::{
    Request, Status,
    service::interceptor::InterceptedService,
    transport::{Server, server::TcpIncoming},
};

#[tokio::test]
async fn a_client_replays_follows_and_folds_until_the_server_stops() {
    let house = House::with_tenants(&["acme"]).await;
    let ada = house.user("acme", "ada");
    house.record(&ada, issued(1, 990), 990).await;
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = audit_server(Arc::clone(&house.foundation), &house.lifecycle, Arc::default());
    // In the place of the access layer.
    let service = InterceptedService::new(server, |mut request: Request<()>| {
        request.extensions_mut().insert(auditor("acme"));
        Ok::<_, Status>(request)
    });
    let stopping = house.lifecycle.stopping();
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming_shutdown(incoming, async move { stopping.cancelled().await });
    let client = async {
        let mut client = AuditServiceClient::connect(format!("http://{address}")).await.unwrap();

        let asked = GetStateAsOfRequest { user_id: "ada".to_owned(), as_of: None };
        let state = client.get_state_as_of(asked).await.unwrap().into_inner();
        assert_eq!(state.open_challenges.len(), 1);

        let replay = ReplayEventsRequest { after_position: Some(0), ..Default::default() };
        let mut items = client.replay_events(replay.clone()).await.unwrap().into_inner();
        let first = items.message().await.unwrap().unwrap().item.unwrap();
        assert_eq!(event(first).r#type, "ChallengeIssued");
        assert_eq!(items.message().await.unwrap(), None);

        let follow = ReplayEventsRequest { after_position: Some(1), follow: true, ..replay };
        let mut items = client.replay_events(follow).await.unwrap().into_inner();
        let caught_up = items.message().await.unwrap().unwrap().item;
        assert_eq!(caught_up, Some(Item::CaughtUpPosition(1)));
        house.record(&ada, failed(1, 4, 995), 995).await;
        let next = items.message().await.unwrap().unwrap().item.unwrap();
        assert_eq!(event(next).r#type, "AttemptFailed");
        house.lifecycle.stop();
        assert_eq!(items.message().await.unwrap(), None);
    };
    let (served, ()) = tokio::join!(serving, client);
    served.unwrap();
}
