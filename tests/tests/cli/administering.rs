//! Tenants, keys, users and authenticators.

use countersign_tests::Process;

use super::Said;

#[tokio::test]
async fn tenants_are_created_once_and_listed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let empty = Said::well(server.command(&["tenants", "list"])).await;
    assert!(empty.contains("there are no tenants yet"), "{empty}");
    let created = server.command(&["tenants", "create", "acme", "--display-name", "Acme Ltd"]);
    assert_eq!(Said::well(created).await, "created acme\n");
    let created = Said::json(server.command(&["tenants", "create", "globex"])).await;
    assert_eq!(created[0]["tenantId"], "globex");
    assert_eq!(created[0]["displayName"], "globex");

    let table = Said::well(server.command(&["tenants", "list"])).await;
    let rows: Vec<_> = table.lines().map(str::trim).collect();
    assert!(rows[0].starts_with("TENANT"), "{table}");
    assert!(rows[1].starts_with("acme") && rows[1].contains("Acme Ltd"), "{table}");
    assert!(rows[2].starts_with("globex"), "{table}");
    let listed = Said::json(server.command(&["tenants", "list"])).await;
    assert_eq!([&listed[0]["tenantId"], &listed[1]["tenantId"]], ["acme", "globex"]);

    let said = Said::failing(server.command(&["tenants", "create", "acme"])).await;
    assert!(said.contains("(TENANT_EXISTS)"), "{said}");
    let said = Said::failing(server.command(&["tenants", "create", "Acme Ltd"])).await;
    assert!(said.contains("tenant_id") && said.contains("(FIELD_INVALID)"), "{said}");
}

#[tokio::test]
async fn a_key_is_printed_alone_works_and_ends_when_it_is_revoked() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    server.tenant("acme").await;
    let create = ["keys", "create", "the reader", "--role", "auditor", "--tenant", "acme"];
    let created = Said::by(server.command(&create)).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    assert!(created.out.starts_with("csk_acme.") && created.out.lines().count() == 1);
    assert!(created.err.contains("shown this once") && created.err.contains("the reader"));
    let key = created.out.trim();
    assert!(!created.err.contains(key.rsplit_once('.').unwrap().1), "{created:?}");

    let with_key = |words: &[&str]| {
        let mut command = server.command(words);
        command.env("COUNTERSIGN_API_KEY", key);
        command
    };
    let table = Said::well(with_key(&["keys", "list"])).await;
    let row = table.lines().find(|row| row.contains("the reader")).unwrap();
    assert!(row.contains("auditor") && row.contains("never"), "{row}");
    // An auditor reads and changes nothing.
    let said = Said::failing(with_key(&["keys", "create", "x", "--role", "verifier"])).await;
    assert!(said.contains("(PERMISSION_DENIED)") && said.contains("another role"), "{said}");

    let listed = Said::json(with_key(&["keys", "list"])).await;
    let listed = listed.iter().find(|listed| listed["displayName"] == "the reader").unwrap();
    let id = listed["keyId"].as_str().unwrap();
    let revoked = Said::well(server.command(&["keys", "revoke", id, "--tenant", "acme"])).await;
    assert_eq!(revoked, format!("revoked {id} (the reader)\n"));
    let said = Said::failing(with_key(&["keys", "list"])).await;
    assert!(said.contains("(UNAUTHENTICATED)"), "{said}");
    let said = Said::failing(server.command(&["keys", "revoke", "nosuchkey", "--tenant", "acme"]));
    let said = said.await;
    assert!(said.contains("(API_KEY_NOT_FOUND)") && said.contains("keys list"), "{said}");
}

#[tokio::test]
async fn a_key_with_a_lifetime_says_when_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let mut create = server.command(&["keys", "create", "a guest", "--role", "auditor"]);
    create.args(["--role", "verifier", "--lifetime", "2h"]);
    // The platform's own keys are for the platform; a tenant's need one.
    server.tenant("acme").await;
    create.args(["--tenant", "acme"]);
    let created = Said::json(create).await;
    let key = &created[0]["apiKey"];
    assert_eq!(key["roles"], serde_json::json!(["ROLE_AUDITOR", "ROLE_VERIFIER"]));
    assert!(key["expiresAt"].as_str() > key["createdAt"].as_str(), "{key}");
    assert!(created[0]["secret"].as_str().unwrap().starts_with("csk_acme."));
}

#[tokio::test]
async fn a_user_s_authenticators_are_shown_listed_and_removed() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let tenant = server.tenant("acme").await;
    let phone = tenant.enrol("alice@example.com").await;
    let in_acme = |words: &[&str]| {
        let mut command = server.command(words);
        command.args(["--tenant", "acme"]);
        command
    };
    let shown = Said::well(in_acme(&["users", "show", "alice@example.com"])).await;
    assert!(shown.contains(&phone.authenticator_id) && shown.contains("active"), "{shown}");
    assert!(shown.contains("Throttled\nnone"), "{shown}");
    let shown = Said::json(in_acme(&["users", "show", "alice@example.com"])).await;
    assert!(shown[0]["placement"].is_object(), "{shown:?}");
    assert_eq!(shown[1]["authenticatorId"], phone.authenticator_id.as_str());
    let nobody = Said::well(in_acme(&["users", "show", "nobody"])).await;
    assert!(nobody.contains("Authenticators\nnone"), "{nobody}");

    let listed = Said::well(in_acme(&["authenticators", "list", "alice@example.com"])).await;
    assert!(listed.contains("digits=6"), "{listed}");
    let id = phone.authenticator_id.as_str();
    let remove = ["authenticators", "remove", "alice@example.com", id, "--reason", "lost"];
    assert_eq!(Said::well(in_acme(&remove)).await, format!("removed totp {id}\n"));
    let listed = Said::well(in_acme(&["authenticators", "list", "alice@example.com"])).await;
    assert_eq!(listed, "none\n");
    let removed = in_acme(&["authenticators", "list", "alice@example.com", "--removed"]);
    let removed = Said::json(removed).await;
    assert_eq!(removed[0]["status"], "AUTHENTICATOR_STATUS_REMOVED");
    let unknown = "0190163d-8694-739b-aea5-966c26f8ad91";
    let remove = ["authenticators", "remove", "alice@example.com", unknown, "--reason", "lost"];
    let said = Said::failing(in_acme(&remove)).await;
    assert!(said.contains("(AUTHENTICATOR_NOT_FOUND)"), "{said}");
}

#[tokio::test]
async fn a_temporary_access_pass_is_printed_alone_and_opens_once_or_until_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path()).await;
    let tenant = server.tenant("acme").await;
    let access_pass = |words: &[&str]| {
        let mut command = server.command(&["users", "access-pass", "alice@example.com"]);
        command.args(words).args(["--tenant", "acme"]);
        command
    };
    let issued = Said::by(access_pass(&["--lifetime", "30m"])).await;
    assert_eq!(issued.code, Some(0), "{issued:?}");
    let code = issued.out.trim();
    assert_eq!((issued.out.lines().count(), code.len()), (1, "0000-0000-0000".len()));
    assert!(issued.err.contains("opens once") && !issued.err.contains(code), "{issued:?}");
    let challenge = tenant.challenge("alice@example.com").await;
    tenant.verified("alice@example.com", &challenge, code).await;

    let issued = Said::json(access_pass(&["--reusable"])).await;
    assert_eq!(issued[0]["authenticator"]["kind"], "temporary_access_pass");
    assert_eq!(issued[0]["authenticator"]["parameters"]["single_use"], "false");
    let said = Said::failing(access_pass(&["--lifetime", "9m"])).await;
    assert!(said.contains("lifetime") && said.contains("10 to 480 minutes"), "{said}");
    let said = Said::failing(access_pass(&["--from", "2999-01-01T00:00:00Z"])).await;
    assert!(said.contains("starts_at") && said.contains("30 days"), "{said}");
}
