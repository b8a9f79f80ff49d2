//! Where users and keys belong: organisations, privilege, addresses, and tokens of users themselves.

use countersign_tests::Process;
use serde_json::json;
use tokio::process::Command;

use super::Said;

/// A server with a tenant `acme` that has two organisations.
async fn acme(directory: &tempfile::TempDir) -> Process {
    let server = Process::start(directory.path()).await;
    Said::well(server.command(&["tenants", "create", "acme"])).await;
    for id in ["north", "south"] {
        Said::well(in_acme(&server, &["organisations", "create", id])).await;
    }
    server
}

fn in_acme(server: &Process, words: &[&str]) -> Command {
    let mut command = server.command(words);
    command.args(["--tenant", "acme"]);
    command
}

/// Prepares a command with a fresh key of the tenant.
async fn with_key(server: &Process, key: &[&str], words: &[&str]) -> Command {
    let create = [&["keys", "create", "a key"], key].concat();
    let created = Said::by(in_acme(server, &create)).await;
    assert_eq!(created.code, Some(0), "{created:?}");
    let mut command = server.command(words);
    command.env("COUNTERSIGN_API_KEY", created.out.trim());
    command
}

#[tokio::test]
async fn a_user_is_placed_and_what_is_not_named_stays() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(&directory).await;
    let place = |words: &[&str]| in_acme(&server, &[&["users", "place", "ann"], words].concat());
    let shown = Said::well(in_acme(&server, &["users", "show", "ann"])).await;
    assert!(shown.starts_with("Belongs\nin no organisation, without privilege\n"), "{shown}");
    let placed = Said::well(place(&["--organisation", "north"])).await;
    assert_eq!(placed, "ann is in north, without privilege\n");
    let placed = Said::well(place(&["--privileged"])).await;
    assert_eq!(placed, "ann is in north, with privilege\n");
    let placed = Said::json(place(&["--organisation", "south"])).await;
    let there = json!({"placement": {"organisationId": "south", "privileged": true}});
    assert_eq!(placed[0], there);
    let shown = Said::well(in_acme(&server, &["users", "show", "ann"])).await;
    assert!(shown.starts_with("Belongs\nin south, with privilege\n"), "{shown}");
    assert_eq!(Said::json(in_acme(&server, &["users", "show", "ann"])).await[0], there);
    let placed = Said::well(place(&["--no-organisation", "--no-privilege"])).await;
    assert_eq!(placed, "ann is in no organisation, without privilege\n");

    let said = Said::failing(place(&["--organisation", "west"])).await;
    assert!(said.contains("(ORGANISATION_NOT_FOUND)"), "{said}");
    assert!(said.contains("countersign organisations list"), "{said}");
    let wrong: [&[&str]; 4] = [
        &[],
        &["--organisation", ""],
        &["--organisation", "north", "--no-organisation"],
        &["--privileged", "--no-privilege"],
    ];
    for words in wrong {
        let said = Said::by(place(words)).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {said:?}");
    }
}

#[tokio::test]
async fn a_key_of_an_organisation_acts_on_its_users_alone() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(&directory).await;
    for (user, organisation) in [("ann", "north"), ("bob", "south")] {
        let place = ["users", "place", user, "--organisation", organisation];
        Said::well(in_acme(&server, &place)).await;
    }
    let key = ["--role", "org-admin", "--organisation", "north"];
    let shown = with_key(&server, &key, &["users", "show", "ann"]).await;
    assert!(Said::well(shown).await.contains("in north"));
    let said = Said::failing(with_key(&server, &key, &["users", "show", "bob"]).await).await;
    assert!(said.contains("(PERMISSION_DENIED)"), "{said}");
    let create = ["keys", "create", "a key", "--role", "help-desk", "--organisation", ""];
    let said = Said::by(in_acme(&server, &create)).await;
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    let unconfined = in_acme(&server, &["keys", "create", "a key", "--role", "org-admin"]);
    let said = Said::failing(unconfined).await;
    assert!(said.contains("roles: org_admin needs an"), "{said}");
}

#[tokio::test]
async fn a_key_works_from_the_addresses_that_it_allows_and_says_so_in_the_list() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(&directory).await;
    let far = ["--role", "auditor", "--allow", "203.0.113.0/24", "--allow", "2001:db8::1"];
    let said = Said::failing(with_key(&server, &far, &["keys", "list"]).await).await;
    assert!(said.contains("(UNAUTHENTICATED)"), "{said}");
    let near = ["--role", "auditor", "--allow", "127.0.0.0/8"];
    let listed = Said::json(with_key(&server, &near, &["keys", "list"]).await).await;
    assert_eq!(listed[0]["allowedAddresses"], json!(["203.0.113.0/24", "2001:db8::1"]));
    let confined = ["--role", "help-desk", "--organisation", "north"];
    with_key(&server, &confined, &[]).await;
    let table = Said::well(in_acme(&server, &["keys", "list"])).await;
    for part in ["203.0.113.0/24, 2001:db8::1", "127.0.0.0/8", "help-desk  north"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let create = ["keys", "create", "a key", "--role", "auditor", "--allow", "everywhere"];
    let said = Said::failing(in_acme(&server, &create)).await;
    assert!(said.contains("allowed_addresses: must be addresses or networks"), "{said}");
}

#[tokio::test]
async fn a_rotated_key_is_printed_alone_and_the_secret_before_works_through_the_overlap() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(&directory).await;
    let create = ["keys", "create", "the reader", "--role", "auditor"];
    let first = Said::by(in_acme(&server, &create)).await.out.trim().to_owned();
    let list = |key: &str| {
        let mut command = server.command(&["keys", "list"]);
        command.env("COUNTERSIGN_API_KEY", key);
        command
    };
    let id = Said::json(list(&first)).await[0]["keyId"].as_str().unwrap().to_owned();
    let rotate = |words: &[&str]| in_acme(&server, &[&["keys", "rotate", &id], words].concat());
    let rotated = Said::by(rotate(&["--overlap", "24h"])).await;
    assert_eq!((rotated.code, rotated.out.lines().count()), (Some(0), 1), "{rotated:?}");
    let second = rotated.out.trim();
    assert!(second.starts_with("csk_acme.") && second != first, "{rotated:?}");
    assert!(rotated.err.contains("shown this once") && rotated.err.contains("works until"));
    assert!(!rotated.err.contains(second.rsplit_once('.').unwrap().1), "{rotated:?}");
    for key in [first.as_str(), second] {
        assert!(Said::well(list(key)).await.contains("the secret before ends"));
    }

    let rotated = Said::json(rotate(&[])).await;
    let third = rotated[0]["secret"].as_str().unwrap();
    assert!(rotated[0]["apiKey"]["rotatedAt"].is_string());
    assert!(Said::well(list(third)).await.contains("the reader"));
    for ended in [first.as_str(), second] {
        let said = Said::failing(list(ended)).await;
        assert!(said.contains("(UNAUTHENTICATED)"), "{said}");
    }
    let said = Said::failing(in_acme(&server, &["keys", "rotate", "nosuchkey"])).await;
    assert!(said.contains("(API_KEY_NOT_FOUND)") && said.contains("keys list"), "{said}");
    let said = Said::failing(rotate(&["--overlap", "91d"])).await;
    assert!(said.contains("overlap") && said.contains("90 days"), "{said}");
}

#[tokio::test]
async fn a_user_s_token_is_printed_alone_and_opens_what_is_theirs() {
    let directory = tempfile::tempdir().unwrap();
    let server = acme(&directory).await;
    let verifier = ["--role", "verifier"];
    let token = ["users", "token", "ann", "--lifetime", "1m"];
    let made = Said::by(with_key(&server, &verifier, &token).await).await;
    assert_eq!((made.code, made.out.lines().count()), (Some(0), 1), "{made:?}");
    let secret = made.out.trim();
    assert!(made.err.contains("ends at") && !made.err.contains(secret), "{made:?}");
    let with_token = |words: &[&str]| {
        let mut command = server.command(words);
        command.env("COUNTERSIGN_API_KEY", secret);
        command
    };
    let own = Said::well(with_token(&["authenticators", "list", "ann"])).await;
    assert_eq!(own, "none\n");
    let said = Said::failing(with_token(&["authenticators", "list", "bob"])).await;
    assert!(said.contains("(PERMISSION_DENIED)"), "{said}");

    let made = Said::json(with_key(&server, &verifier, &["users", "token", "ann"]).await).await;
    assert!(made[0]["token"].is_string() && made[0]["tokenId"].is_string(), "{made:?}");
    let auditor = with_key(&server, &["--role", "auditor"], &["users", "token", "ann"]).await;
    let said = Said::failing(auditor).await;
    assert!(said.contains("(PERMISSION_DENIED)") && said.contains("another role"), "{said}");
    let long = with_key(&server, &verifier, &["users", "token", "ann", "--lifetime", "16m"]).await;
    let said = Said::failing(long).await;
    assert!(said.contains("lifetime") && said.contains("1 to 15 minutes"), "{said}");
}
