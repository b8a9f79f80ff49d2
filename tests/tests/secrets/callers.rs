//! Callers who show what is right, nearly right, or something else altogether.

use std::path::{Path, PathBuf};

use countersign_proto::admin::{
    CreateApiKeyRequest, ListApiKeysRequest, Role, RotateApiKeyRequest,
};
use countersign_testkit::{IssuerClient, OidcIssuer};
use countersign_tests::{Caller, Tenant, reason};

use crate::list::List;

const AUDIENCE: &str = "https://mfa.example.com";

/// Starts an issuer, and writes settings that trust it.
pub(crate) async fn issuer(directory: &Path) -> (OidcIssuer, PathBuf) {
    let issuer = OidcIssuer::start([IssuerClient::new("console")]).await;
    let path = directory.join("countersign.yaml");
    let settings = format!(
        "callers:\n  issuers:\n    - trusted: {{ name: login, issuer: \"{}\", audiences: [\"{AUDIENCE}\"] }}\n      \
         callers: [{{ tenant: acme, roles: [tenant_admin] }}]\n",
        issuer.issuer()
    );
    std::fs::write(&path, settings).unwrap();
    (issuer, path)
}

/// Comes with a token of the issuer, and with the same one signed by nobody.
pub(crate) async fn show_tokens(issuer: &OidcIssuer, anybody: &Caller, list: &mut List) {
    let token = issuer.access_token("console", AUDIENCE).await;
    list.add_token("a token of an issuer", &token);
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", signature.chars().rev().collect::<String>());
    list.add_token("a forged token", &forged);
    let list_keys = async |key: &str| {
        anybody.with_key(key).admin().list_api_keys(ListApiKeysRequest::default()).await
    };
    list_keys(&token).await.unwrap();
    let refused = list_keys(&forged).await.unwrap_err();
    assert_eq!(reason(&refused), "UNAUTHENTICATED");
    list.told(&refused);
}

/// Makes keys and replaces them, and calls with ones that are not right.
pub(crate) async fn try_keys(tenant: &Tenant, list: &mut List) {
    let create = CreateApiKeyRequest {
        display_name: "a key".to_owned(),
        roles: vec![Role::Verifier.into()],
        ..Default::default()
    };
    let created = tenant.admin.admin().create_api_key(create).await.unwrap().into_inner();
    list.add_key(&created.secret);
    let key_id = created.api_key.unwrap().key_id;
    let rotate = RotateApiKeyRequest { key_id, ..Default::default() };
    let rotated = tenant.admin.admin().rotate_api_key(rotate).await.unwrap().into_inner();
    list.add_key(&rotated.secret);

    let (public, _) = rotated.secret.rsplit_once('.').unwrap();
    let guessed = format!("{public}.{}", "Wr0ngButWellFormed".repeat(3).get(..43).unwrap());
    list.add("a guessed key", guessed.rsplit_once('.').unwrap().1);
    let nonsense = "not-a-key-at-all-but-somebodys-password";
    list.add("what is no key", nonsense);
    for wrong in [&*guessed, nonsense, &created.secret] {
        let caller = tenant.platform.with_key(wrong);
        let refused = caller.admin().list_api_keys(ListApiKeysRequest::default()).await;
        let refused = refused.unwrap_err();
        assert_eq!(reason(&refused), "UNAUTHENTICATED");
        list.told(&refused);
    }
    let elsewhere = tenant.platform.with_key(&rotated.secret).naming("hunter2-tenant");
    let refused = elsewhere.admin().list_api_keys(ListApiKeysRequest::default()).await;
    list.told(&refused.unwrap_err());
}
