//! The header in which callers say who they are, as different clients write it.

use countersign_proto::admin::{CreateApiKeyRequest, Role};
use countersign_proto::challenge::GetAssertionKeysRequest;
use countersign_tests::{Caller, House};
use tonic::{Request, Status};

use crate::probes::is_nobody;

async fn with(house: &House, lines: &[String]) -> Result<(), Status> {
    let mut request = Request::new(GetAssertionKeysRequest {});
    for line in lines {
        request.metadata_mut().append("authorization", line.parse().unwrap());
    }
    let stranger = Caller::stranger(house.channel());
    stranger.challenge().get_assertion_keys(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_line_of_the_scheme_bearer_is_read_and_nothing_else() {
    let house = House::single().await;
    let tenant = house.tenant("acme").await;
    let request = CreateApiKeyRequest {
        display_name: "key".to_owned(),
        roles: vec![Role::Verifier.into()],
        ..Default::default()
    };
    let issued = tenant.admin.admin().create_api_key(request).await.unwrap();
    let key = issued.into_inner().secret;
    for scheme in ["Bearer", "bearer", "BEARER"] {
        with(&house, &[format!("{scheme} {key}")]).await.unwrap();
    }
    for line in [
        key.clone(),
        format!("Bearer{key}"),
        format!("Bearer  {key}"),
        format!("Bearer {key} x"),
        format!("Bearer {key}, Bearer {key}"),
        format!("Basic {key}"),
        format!("Bearers {key}"),
        "Bearer ".to_owned(),
        "Bearer".to_owned(),
        String::new(),
    ] {
        is_nobody(&with(&house, &[line]).await.unwrap_err());
    }
    let line = format!("Bearer {key}");
    is_nobody(&with(&house, &[line.clone(), line.clone()]).await.unwrap_err());
    is_nobody(&with(&house, &[line, String::new()]).await.unwrap_err());
    is_nobody(&with(&house, &[]).await.unwrap_err());
}
