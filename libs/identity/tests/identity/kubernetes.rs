//! Tokens of Kubernetes service accounts, as a pod has them in a projected volume.

use countersign_identity::TokenError;
use serde_json::{Value, json};

use crate::{signing::Signer, world::World};

/// Claims as the API server writes them, of a pod on a node.
fn claims(world: &World) -> Value {
    let mut claims = world.claims_with(&json!({
        "aud": ["countersign"],
        "jti": "0f5a3ae2-3b0f-4a37-a2a5-d2a3d2f1d7c1",
        "kubernetes.io": {
            "namespace": "platform",
            "node": {"name": "node-1", "uid": "58456cb0-dd00-45ed-b797-5578fdceaced"},
            "pod": {"name": "api-69cf8f8b7-kx2m4", "uid": "778a530c-b3f4-47c0-9cd5-ab018fb64f33"},
            "serviceaccount": {"name": "api", "uid": "a087d5a0-e1dd-43ec-93ac-f13d89cd13af"},
            "warnafter": world.claims()["exp"],
        },
        "sub": "system:serviceaccount:platform:api",
    }));
    claims["nbf"] = claims["iat"].clone();
    claims
}

async fn cluster(signer: &Signer) -> World {
    World::with(&[signer], |settings| settings.audiences = vec!["countersign".to_owned()]).await
}

#[tokio::test]
async fn a_service_account_is_known_by_its_token() {
    let signer = Signer::rsa("hA8Fsm1oXmO0kKNVPSBvLnMvPV3w-Ay9Nm2wYRlS2qk");
    let cluster = cluster(&signer).await;
    // The API server writes no `typ`.
    let header = json!({"alg": "RS256", "kid": signer.header()["kid"]});
    let token = signer.sign(&header.to_string(), &claims(&cluster).to_string());
    let verified = cluster.verify(&token).await.unwrap();
    assert_eq!(verified.subject, "system:serviceaccount:platform:api");
    assert_eq!(verified.audiences, ["countersign"]);
    assert_eq!(verified.claims["kubernetes.io"]["namespace"], "platform");
    assert_eq!(verified.claims["kubernetes.io"]["serviceaccount"]["name"], "api");
}

#[tokio::test]
async fn the_token_with_which_a_pod_calls_its_api_server_is_not_for_us() {
    let signer = Signer::rsa("r");
    let cluster = cluster(&signer).await;
    let mut claims = claims(&cluster);
    claims["aud"] = json!(["https://kubernetes.default.svc.cluster.local"]);
    assert_eq!(cluster.error_of(&signer.token(&claims)).await, TokenError::WrongAudience);
}

#[tokio::test]
async fn a_token_of_the_old_kind_that_never_ends_is_refused() {
    let signer = Signer::rsa("r");
    let cluster = cluster(&signer).await;
    let mut claims = claims(&cluster);
    claims.as_object_mut().unwrap().retain(|name, _| name != "exp");
    let problem = cluster.error_of(&signer.token(&claims)).await;
    assert_eq!(problem, TokenError::BadClaim { claim: "exp" });
}
