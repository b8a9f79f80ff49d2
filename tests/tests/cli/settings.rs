//! What a tenant is made of: organisations, applications, requirements and factors.

use countersign_tests::Process;
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use super::Said;

/// A server with a tenant `acme`.
struct Acme {
    _directory: TempDir,
    server: Process,
}

impl Acme {
    async fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = Process::start(directory.path()).await;
        Said::well(server.command(&["tenants", "create", "acme"])).await;
        Self { _directory: directory, server }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.server.command(words);
        command.args(["--tenant", "acme"]);
        command
    }
}

#[tokio::test]
async fn organisations_are_created_once_and_listed() {
    let acme = Acme::start().await;
    let none = Said::well(acme.command(&["organisations", "list"])).await;
    assert!(none.contains("organisations create ID"), "{none}");
    let create = ["organisations", "create", "north", "--display-name", "North Ltd"];
    assert_eq!(Said::well(acme.command(&create)).await, "created north\n");
    let created = Said::json(acme.command(&["organisations", "create", "south"])).await;
    assert_eq!(created, [json!({"organisationId": "south", "displayName": "south"})]);
    let table = Said::well(acme.command(&["organisations", "list"])).await;
    let rows: Vec<_> = table.lines().map(str::trim).collect();
    assert!(rows[1].starts_with("north") && rows[1].ends_with("North Ltd"), "{table}");
    assert!(rows[2].starts_with("south"), "{table}");
    let listed = Said::json(acme.command(&["organisations", "list"])).await;
    assert_eq!(listed[0], json!({"organisationId": "north", "displayName": "North Ltd"}));
    let said = Said::failing(acme.command(&create)).await;
    assert!(said.contains("(ORGANISATION_EXISTS)"), "{said}");
    let said = Said::failing(acme.command(&["organisations", "create", "North Ltd"])).await;
    assert!(said.contains("organisation_id") && said.contains("(FIELD_INVALID)"), "{said}");
}

#[tokio::test]
async fn more_organisations_than_fit_on_a_page_are_all_listed() {
    let acme = Acme::start().await;
    for number in 0..51 {
        let id = format!("organisation-{number:03}");
        Said::well(acme.command(&["organisations", "create", &id])).await;
    }
    let listed = Said::json(acme.command(&["organisations", "list"])).await;
    assert_eq!(listed.len(), 51);
    assert_eq!(listed[50]["organisationId"], "organisation-050");
}

#[tokio::test]
async fn applications_are_created_once_and_listed() {
    let acme = Acme::start().await;
    let none = Said::well(acme.command(&["applications", "list"])).await;
    assert!(none.contains("applications create ID"), "{none}");
    let create = ["applications", "create", "vpn", "--display-name", "The VPN"];
    assert_eq!(Said::well(acme.command(&create)).await, "created vpn\n");
    let create_wiki = ["applications", "create", "wiki", "--requirement", "never"];
    let created = Said::json(acme.command(&create_wiki)).await;
    assert_eq!(created[0]["mfaRequirement"], "MFA_REQUIREMENT_NEVER");
    let table = Said::well(acme.command(&["applications", "list"])).await;
    let rows: Vec<_> = table.lines().map(str::trim).collect();
    assert!(rows[1].starts_with("vpn") && rows[1].contains("The VPN"), "{table}");
    assert!(rows[2].starts_with("wiki") && rows[2].ends_with("never"), "{table}");
    let listed = Said::json(acme.command(&["applications", "list"])).await;
    assert_eq!(listed[0], json!({"applicationId": "vpn", "displayName": "The VPN"}));
    let said = Said::failing(acme.command(&create)).await;
    assert!(said.contains("(APPLICATION_EXISTS)"), "{said}");
}

#[tokio::test]
async fn a_requirement_is_set_for_the_tenant_and_for_one_application() {
    let acme = Acme::start().await;
    Said::well(acme.command(&["applications", "create", "vpn"])).await;
    let set = acme.command(&["requirement", "set", "per-application"]);
    assert_eq!(Said::well(set).await, "acme: per-application\n");
    let set = ["requirement", "set", "always", "--application", "vpn"];
    assert_eq!(Said::well(acme.command(&set)).await, "vpn: always; acme: per-application\n");
    let set = Said::json(acme.command(&set)).await;
    assert_eq!(set[0]["mfaRequirement"], "MFA_REQUIREMENT_PER_APPLICATION");
    assert_eq!(set[0]["applications"][0]["mfaRequirement"], "MFA_REQUIREMENT_ALWAYS");
    let unknown = acme.command(&["requirement", "set", "never", "--application", "wiki"]);
    let said = Said::failing(unknown).await;
    assert!(said.contains("(APPLICATION_NOT_FOUND)"), "{said}");
    assert!(said.contains("countersign applications list"), "{said}");
    let odd = acme.command(&["requirement", "set", "per-application", "--application", "vpn"]);
    let said = Said::failing(odd).await;
    assert!(said.contains("mfa_requirement: may be NEVER or ALWAYS"), "{said}");
}

#[tokio::test]
async fn what_is_changed_of_a_factor_adds_to_what_was_changed_before() {
    let acme = Acme::start().await;
    assert_eq!(Said::well(acme.command(&["factors", "show"])).await, "the defaults hold\n");
    let mut set = acme.command(&["factors", "set", "totp", "--free-attempts", "3"]);
    set.args(["--first-pause", "2m", "--totp-skew-steps", "0"]);
    let table = Said::well(set).await;
    let row: Vec<_> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(row, ["totp", "yes", "3", "2m", "default", "default", "totp_skew_steps=0"]);
    let set = Said::json(acme.command(&["factors", "set", "totp", "--disable"])).await;
    assert_eq!(set[0]["disabled"], true);
    assert_eq!(set[0]["throttle"], json!({"freeAttempts": 3, "firstPause": "120s"}));
    let mut set = acme.command(&["factors", "set", "temporary_access_pass"]);
    set.args(["--longest-access-pass", "4h"]);
    assert!(Said::well(set).await.contains("longest_access_pass=4h"));

    let shown = Said::json(acme.command(&["factors", "show"])).await;
    assert_eq!(shown.len(), 2);
    let shown = Said::well(acme.command(&["factors", "show", "totp"])).await;
    assert!(shown.contains("totp_skew_steps=0") && !shown.contains("4h"), "{shown}");
    let set = Said::json(acme.command(&["factors", "set", "totp", "--defaults"])).await;
    assert_eq!((&set[0]["disabled"], &set[0]["totpSkewSteps"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused_with_the_field() {
    let acme = Acme::start().await;
    let said = Said::failing(acme.command(&["factors", "set", "voice", "--disable"])).await;
    assert!(said.contains("(FACTOR_KIND_UNKNOWN)") && said.contains("totp"), "{said}");
    let wild = acme.command(&["factors", "set", "totp", "--free-attempts", "101"]);
    let said = Said::failing(wild).await;
    assert!(said.contains("settings.throttle.free_attempts: must be 1 to 100"), "{said}");
    for words in [
        &["factors", "set", "totp"][..],
        &["factors", "set", "totp", "--disable", "--enable"],
        &["factors", "set", "totp", "--first-pause", "soon"],
        &["requirement", "set", "sometimes"],
        &["requirement", "set", "never", "--application", ""],
    ] {
        let said = Said::by(acme.command(words)).await;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words:?}: {said:?}");
    }
}
