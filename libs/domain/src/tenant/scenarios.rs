//! Scenarios of every command, event and rejection.

use countersign_core::KeyId;
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

fn key() -> KeyId {
    KeyId::parse("key1").unwrap()
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

fn organisation(n: usize) -> OrganisationId {
    OrganisationId::parse(&format!("org-{n}")).unwrap()
}

fn create_organisation(n: usize) -> Command {
    let display_name = "North".to_owned();
    Command::CreateOrganisation { organisation_id: organisation(n), display_name }
}

fn organisation_created(n: usize) -> Event {
    let display_name = "North".to_owned();
    let created = OrganisationCreated { organisation_id: organisation(n), display_name };
    Event::OrganisationCreated(created)
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
    given([]).when(create_organisation(1)).then_rejected(Rejection::NotFound);
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
fn an_organisation_is_created_once_up_to_a_limit() {
    given([created()]).when(create_organisation(1)).then([organisation_created(1)]);
    given([created(), organisation_created(1)])
        .when(create_organisation(1))
        .then_rejected(Rejection::OrganisationExists);
    let full = (0..MAX_ORGANISATIONS).map(organisation_created);
    given([created()].into_iter().chain(full))
        .when(create_organisation(MAX_ORGANISATIONS))
        .then_rejected(Rejection::TooManyOrganisations);
}

#[test]
fn users_stay_for_ever_until_the_tenant_says_for_how_long() {
    let retention = |days| Retention { inactive_user_days: std::num::NonZeroU32::new(days) };
    let set = |days| Event::RetentionSet(RetentionSet { retention: retention(days) });
    let ask = |days| Command::SetRetention(retention(days));
    given([]).when(ask(90)).then_rejected(Rejection::NotFound);
    given([created()]).when(ask(0)).then([]);
    given([created()]).when(ask(90)).then([set(90)]);
    given([created(), set(90)]).when(ask(90)).then([]);
    given([created(), set(90)]).when(ask(0)).then([set(0)]);
}

#[test]
fn every_event_survives_the_stored_form() {
    let events = [
        created(),
        application_created(1),
        requirement_set(None),
        requirement_set(Some(application(1))),
        settings_changed(),
        organisation_created(1),
        Event::ApiKeyIssued(ApiKeyIssued {
            key_id: key(),
            display_name: "platform".to_owned(),
            secret_hash: [1; 32],
            roles: Role::ALL.to_vec(),
            issued_at: at(0),
            expires_at: Some(at(100)),
            organisation_id: Some(organisation(1)),
            allowed_addresses: vec!["10.0.0.0/8".to_owned()],
        }),
        Event::ApiKeyRotated(ApiKeyRotated {
            key_id: key(),
            secret_hash: [2; 32],
            rotated_at: at(1),
            previous_until: at(2),
        }),
        Event::ApiKeyUsed(ApiKeyUsed { key_id: key(), used_at: at(0) }),
        Event::ApiKeyRevoked(ApiKeyRevoked { key_id: key() }),
    ];
    for event in events {
        let stored = Tenant::encode(&event);
        let read = Tenant::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}
