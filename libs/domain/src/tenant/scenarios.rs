//! Scenarios of every command, event and rejection.

use countersign_eventsourcing::{EventCodec as _, Scenario};

use super::*;

fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Tenant> {
    Scenario::given(events)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn created() -> Event {
    Event::TenantCreated(TenantCreated { display_name: "Acme".to_owned(), created_at: at(0) })
}

fn create() -> Command {
    Command::Create { display_name: "Acme".to_owned(), now: at(0) }
}

fn application(n: usize) -> ApplicationId {
    ApplicationId::parse(&format!("app-{n}")).unwrap()
}

fn create_application(n: usize) -> Command {
    Command::CreateApplication {
        application_id: application(n),
        display_name: "App".to_owned(),
        requirement: None,
    }
}

fn application_created(n: usize) -> Event {
    Event::ApplicationCreated(ApplicationCreated {
        application_id: application(n),
        display_name: "App".to_owned(),
        requirement: None,
    })
}

fn set_requirement(application: Option<ApplicationId>) -> Command {
    let requirement = MfaRequirement::Never;
    Command::SetMfaRequirement { application_id: application, requirement }
}

fn requirement_set(application: Option<ApplicationId>) -> Event {
    let requirement = MfaRequirement::Never;
    Event::MfaRequirementSet(MfaRequirementSet { application_id: application, requirement })
}

fn key(n: usize) -> KeyId {
    KeyId::parse(&format!("key{n}")).unwrap()
}

fn issue_key(n: usize) -> Command {
    Command::IssueApiKey {
        key_id: key(n),
        display_name: "platform".to_owned(),
        secret_hash: [1; 32],
        roles: vec![Role::Verifier, Role::Auditor, Role::TenantAdmin, Role::PlatformAdmin],
        now: at(0),
        expires_at: Some(at(100)),
    }
}

fn key_issued(n: usize) -> Event {
    Event::ApiKeyIssued(ApiKeyIssued {
        key_id: key(n),
        display_name: "platform".to_owned(),
        secret_hash: [1; 32],
        roles: vec![Role::Verifier, Role::Auditor, Role::TenantAdmin, Role::PlatformAdmin],
        issued_at: at(0),
        expires_at: Some(at(100)),
    })
}

fn key_revoked(n: usize) -> Event {
    Event::ApiKeyRevoked(ApiKeyRevoked { key_id: key(n) })
}

fn settings() -> FactorSettings {
    FactorSettings { totp_skew_steps: Some(2), ..FactorSettings::default() }
}

fn settings_changed() -> Event {
    let changed = FactorSettingsChanged { kind: "totp".into(), settings: settings() };
    Event::FactorSettingsChanged(changed)
}

fn change_settings() -> Command {
    Command::SetFactorSettings { kind: "totp".into(), settings: settings() }
}

#[test]
fn a_tenant_is_created_once_and_challenges_until_it_says_otherwise() {
    given([]).when(create()).then([created()]);
    given([created()]).when(create()).then_rejected(Rejection::Exists);
    given([]).when(create()).then_state(|state| {
        assert_eq!(state.requirement(), MfaRequirement::Always);
    });
}

#[test]
fn nothing_can_be_set_on_a_tenant_that_is_not_there() {
    given([]).when(create_application(1)).then_rejected(Rejection::NotFound);
    given([]).when(issue_key(1)).then_rejected(Rejection::NotFound);
}

#[test]
fn an_application_is_created_once_up_to_a_limit() {
    given([created()]).when(create_application(1)).then([application_created(1)]);
    given([created(), application_created(1)])
        .when(create_application(1))
        .then_rejected(Rejection::ApplicationExists);
    let full = (0..MAX_APPLICATIONS).map(application_created);
    given([created()].into_iter().chain(full))
        .when(create_application(MAX_APPLICATIONS))
        .then_rejected(Rejection::TooManyApplications);
}

#[test]
fn a_requirement_is_set_for_the_tenant_or_one_application() {
    given([created()]).when(set_requirement(None)).then([requirement_set(None)]);
    given([created(), requirement_set(None)]).when(set_requirement(None)).then([]);
    let app = Some(application(1));
    given([created(), application_created(1)])
        .when(set_requirement(app.clone()))
        .then([requirement_set(app.clone())]);
    given([created()]).when(set_requirement(app)).then_rejected(Rejection::ApplicationNotFound);
}

#[test]
fn the_policy_follows_the_requirements() {
    given([created(), application_created(1)])
        .when(set_requirement(Some(application(1))))
        .then_state(|state| {
            let policy = state.policy();
            assert_eq!(policy.tenant, MfaRequirement::Always);
            assert_eq!(policy.applications.get("app-1"), Some(&MfaRequirement::Never));
        });
}

#[test]
fn factor_settings_change_only_when_they_differ() {
    given([created()]).when(change_settings()).then([settings_changed()]);
    given([created(), settings_changed()]).when(change_settings()).then([]);
}

#[test]
fn an_api_key_opens_nothing_once_it_is_revoked_or_expired() {
    given([created()]).when(issue_key(1)).then([key_issued(1)]);
    given([created()]).when(issue_key(1)).then_state(|state| {
        let issued = state.api_key(&key(1)).unwrap();
        assert!(issued.is_usable(at(99)));
        assert!(!issued.is_usable(at(100)));
    });
    let revoke = Command::RevokeApiKey { key_id: key(1) };
    given([created(), key_issued(1)]).when(revoke.clone()).then_state(|state| {
        assert!(!state.api_key(&key(1)).unwrap().is_usable(at(1)));
    });
    given([created(), key_issued(1), key_revoked(1)]).when(revoke.clone()).then([]);
    given([created()]).when(revoke).then_rejected(Rejection::ApiKeyNotFound);
}

#[test]
fn there_is_a_limit_of_api_keys_and_revoking_makes_room() {
    let full: Vec<_> = (0..MAX_API_KEYS).map(key_issued).collect();
    let with_full = || [created()].into_iter().chain(full.clone());
    given(with_full()).when(issue_key(900)).then_rejected(Rejection::TooManyApiKeys);
    given(with_full().chain([key_revoked(5)])).when(issue_key(900)).then([key_issued(900)]);
}

#[test]
fn every_event_survives_the_stored_form() {
    let events = [
        created(),
        application_created(1),
        requirement_set(None),
        requirement_set(Some(application(1))),
        settings_changed(),
        key_issued(1),
        key_revoked(1),
    ];
    for event in events {
        let stored = Tenant::encode(&event);
        let read = Tenant::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}
