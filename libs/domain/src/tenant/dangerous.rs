//! Scenarios of the quorum and of what it guards: broken glass, weaker requirements, administrators' keys, the tenant's end.

use std::time::Duration;

use countersign_core::KeyId;
use countersign_eventsourcing::{EventCodec as _, Scenario};

use super::*;
use crate::approval::Terms;

fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Tenant> {
    Scenario::given([created()].into_iter().chain(events))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn created() -> Event {
    Event::TenantCreated(TenantCreated { display_name: "Acme".to_owned(), created_at: at(0) })
}

fn application(requirement: Option<MfaRequirement>) -> Event {
    let display_name = "VPN".to_owned();
    Event::ApplicationCreated(ApplicationCreated {
        application_id: vpn(),
        display_name,
        requirement,
    })
}

fn vpn() -> ApplicationId {
    ApplicationId::parse("vpn").unwrap()
}

fn quorum(approvers: u32) -> Quorum {
    let terms = Terms { approvers, delay: Duration::from_secs(60) };
    Quorum::new(DangerousAct::ALL.iter().copied(), terms).unwrap()
}

fn quorum_set(approvers: u32) -> Event {
    Event::QuorumSet(QuorumSet { quorum: Some(quorum(approvers)) })
}

fn key(role: Role) -> IssueApiKey {
    IssueApiKey {
        key_id: KeyId::parse("key1").unwrap(),
        display_name: "key".to_owned(),
        secret_hash: [1; 32],
        roles: vec![role],
        now: at(0),
        expires_at: None,
        organisation_id: None,
        allowed_addresses: vec![],
    }
}

fn key_issued(role: Role) -> Event {
    let key = key(role);
    Event::ApiKeyIssued(ApiKeyIssued {
        key_id: key.key_id,
        display_name: key.display_name,
        secret_hash: key.secret_hash,
        roles: key.roles,
        issued_at: key.now,
        expires_at: key.expires_at,
        organisation_id: key.organisation_id,
        allowed_addresses: key.allowed_addresses,
    })
}

fn rotate() -> Command {
    Command::RotateApiKey(RotateApiKey {
        key_id: KeyId::parse("key1").unwrap(),
        secret_hash: [2; 32],
        now: at(1),
        overlap: Duration::ZERO,
    })
}

fn break_glass(application_id: Option<ApplicationId>, until: i64) -> Command {
    let reason = "no phones".to_owned();
    Command::BreakGlass { application_id, reason, now: at(1), until: at(until) }
}

fn glass_broken(application_id: Option<ApplicationId>, until: i64) -> Event {
    let reason = "no phones".to_owned();
    Event::GlassBroken(GlassBroken { application_id, reason, broken_at: at(1), until: at(until) })
}

fn mended(application_id: Option<ApplicationId>) -> Event {
    Event::GlassMended(GlassMended { application_id })
}

fn require(application_id: Option<ApplicationId>, requirement: MfaRequirement) -> Command {
    Command::SetMfaRequirement { application_id, requirement }
}

fn disable() -> Command {
    let settings = FactorSettings { disabled: true, ..FactorSettings::default() };
    Command::SetFactorSettings { kind: "totp".into(), settings }
}

/// Zero keeps everybody.
fn retention(days: u32) -> Retention {
    Retention { inactive_user_days: std::num::NonZeroU32::new(days) }
}

fn erased() -> Event {
    Event::TenantErased(TenantErased { erased_at: at(1) })
}

fn allowed(command: Command) -> Command {
    Command::Allowed(Box::new(command))
}

fn needs(act: DangerousAct) -> Rejection {
    Rejection::NeedsApproval(act)
}

#[test]
fn without_a_quorum_everything_is_done_at_once() {
    given([]).when(break_glass(None, 600)).then([glass_broken(None, 600)]);
    given([]).when(Command::Erase { now: at(1) }).then([erased()]);
    given([])
        .when(Command::IssueApiKey(key(Role::TenantAdmin)))
        .then([key_issued(Role::TenantAdmin)]);
    given([]).when(Command::SetQuorum(Some(quorum(2)))).then([quorum_set(2)]);
    given([quorum_set(2)]).when(Command::SetQuorum(Some(quorum(2)))).then([]);
    given([]).when(Command::SetQuorum(None)).then([]);
}

#[test]
fn a_quorum_is_tightened_freely_and_loosened_or_ended_by_agreement() {
    given([quorum_set(2)]).when(Command::SetQuorum(Some(quorum(3)))).then([quorum_set(3)]);
    for looser in [Some(quorum(1)), None] {
        let command = Command::SetQuorum(looser.clone());
        given([quorum_set(2)])
            .when(command.clone())
            .then_rejected(needs(DangerousAct::LoosenQuorum));
        let set = Event::QuorumSet(QuorumSet { quorum: looser });
        given([quorum_set(2)]).when(allowed(command)).then([set]);
    }
}

#[test]
fn a_weaker_requirement_needs_agreement_and_a_stronger_one_does_not() {
    use MfaRequirement::{Always, Never, PerApplication};
    let loosens = needs(DangerousAct::LoosenRequirement);
    for requirement in [Never, PerApplication] {
        given([quorum_set(2)]).when(require(None, requirement)).then_rejected(loosens);
    }
    let per_application = Event::MfaRequirementSet(MfaRequirementSet {
        application_id: None,
        requirement: PerApplication,
    });
    let history = [per_application, quorum_set(2)];
    given(history.clone()).when(require(None, Never)).then_rejected(loosens);
    let stronger = MfaRequirementSet { application_id: None, requirement: Always };
    given(history).when(require(None, Always)).then([Event::MfaRequirementSet(stronger)]);
    for before in [None, Some(Always)] {
        let history = [application(before), quorum_set(2)];
        given(history).when(require(Some(vpn()), Never)).then_rejected(loosens);
    }
    let stronger = MfaRequirementSet { application_id: Some(vpn()), requirement: Always };
    given([application(Some(Never)), quorum_set(2)])
        .when(require(Some(vpn()), Always))
        .then([Event::MfaRequirementSet(stronger)]);
    given([quorum_set(2)]).when(disable()).then_rejected(loosens);
    given([quorum_set(2)])
        .when(require(Some(vpn()), Never))
        .then_rejected(Rejection::ApplicationNotFound);
}

#[test]
fn users_are_kept_for_less_time_by_agreement_and_for_more_by_anybody() {
    let set = |days| Command::SetRetention(retention(days));
    let was_set = |days| Event::RetentionSet(RetentionSet { retention: retention(days) });
    let shortens = needs(DangerousAct::ShortenRetention);
    given([quorum_set(2)]).when(set(3_650)).then_rejected(shortens);
    given([was_set(90), quorum_set(2)]).when(set(89)).then_rejected(shortens);
    given([was_set(90), quorum_set(2)]).when(allowed(set(89))).then([was_set(89)]);
    for longer in [91, 0] {
        given([was_set(90), quorum_set(2)]).when(set(longer)).then([was_set(longer)]);
    }
}

#[test]
fn whoever_could_agree_is_added_by_agreement() {
    let adds = needs(DangerousAct::AddAdministrator);
    for role in [Role::TenantAdmin, Role::PlatformAdmin] {
        given([quorum_set(2)]).when(Command::IssueApiKey(key(role))).then_rejected(adds);
        given([key_issued(role), quorum_set(2)]).when(rotate()).then_rejected(adds);
    }
    for role in [Role::Verifier, Role::Auditor, Role::HelpDesk] {
        let issued = key_issued(role);
        given([quorum_set(2)]).when(Command::IssueApiKey(key(role))).then([issued.clone()]);
        given([issued, quorum_set(2)]).when(rotate()).then_state(|state| {
            let key = state.api_key(&KeyId::parse("key1").unwrap());
            assert_eq!(key.unwrap().secret_hash, [2; 32]);
        });
    }
}

#[test]
fn what_is_not_in_the_quorum_is_done_at_once() {
    let terms = Terms { approvers: 1, delay: Duration::ZERO };
    let quorum = Quorum::new([DangerousAct::EraseTenant], terms);
    let set = Event::QuorumSet(QuorumSet { quorum });
    given([set.clone()]).when(break_glass(None, 600)).then([glass_broken(None, 600)]);
    given([set])
        .when(Command::Erase { now: at(1) })
        .then_rejected(needs(DangerousAct::EraseTenant));
}

#[test]
fn glass_is_broken_until_it_mends_itself_or_is_mended() {
    let app = application(None);
    let until = |state: &State, id: Option<&ApplicationId>, now| state.glass_until(id, at(now));
    given([app.clone()]).when(break_glass(None, 600)).then_state(|state| {
        assert_eq!(until(state, Some(&vpn()), 599), Some(at(600)));
        assert_eq!(until(state, None, 599), Some(at(600)));
        assert_eq!(until(state, None, 600), None);
    });
    given([app.clone()]).when(break_glass(Some(vpn()), 600)).then_state(|state| {
        assert_eq!(until(state, Some(&vpn()), 1), Some(at(600)));
        assert_eq!(until(state, None, 1), None);
    });
    let both = [app.clone(), glass_broken(None, 600), glass_broken(Some(vpn()), 900)];
    let mend = |application_id| Command::MendGlass { application_id };
    given(both.clone()).when(mend(None)).then([mended(None)]);
    given(both.clone()).when(mend(Some(vpn()))).then([mended(Some(vpn()))]);
    given(both.clone()).when(mend(Some(vpn()))).then_state(|state| {
        assert_eq!(until(state, Some(&vpn()), 1), Some(at(600)));
    });
    given(both).when(mend(None)).then_state(|state| assert_eq!(state.glass().count(), 0));
    given([app.clone()]).when(mend(None)).then([]);
    given([app, glass_broken(None, 600)]).when(mend(Some(vpn()))).then([]);
    let unknown = Rejection::ApplicationNotFound;
    given([]).when(mend(Some(vpn()))).then_rejected(unknown);
    given([]).when(break_glass(Some(vpn()), 600)).then_rejected(unknown);
    given([quorum_set(2)])
        .when(break_glass(None, 600))
        .then_rejected(needs(DangerousAct::BreakGlass));
    given([glass_broken(None, 600)]).when(break_glass(None, 600)).then([]);
}

#[test]
fn an_erased_tenant_is_no_more_and_never_comes_back() {
    let history = [key_issued(Role::TenantAdmin), glass_broken(None, 600), erased()];
    given(history.clone()).when(Command::Erase { now: at(9) }).then([]);
    for command in [
        break_glass(None, 600),
        rotate(),
        allowed(break_glass(None, 600)),
        Command::SetQuorum(Some(quorum(2))),
        require(None, MfaRequirement::Never),
    ] {
        given(history.clone()).when(command).then_rejected(Rejection::NotFound);
    }
    let create = Command::Create { display_name: "Acme".to_owned(), now: at(2) };
    given(history.clone()).when(create).then_rejected(Rejection::Exists);
    given(history).when(Command::Erase { now: at(9) }).then_state(|state| {
        assert!(!state.exists() && state.api_keys().next().is_none());
        assert_eq!(state.erased_at(), Some(at(1)));
    });
    Scenario::<Tenant>::given([])
        .when(Command::Erase { now: at(1) })
        .then_rejected(Rejection::NotFound);
}

#[test]
fn every_event_survives_the_stored_form() {
    let ended = Event::QuorumSet(QuorumSet { quorum: None });
    for event in [
        quorum_set(2),
        ended,
        glass_broken(None, 9),
        glass_broken(Some(vpn()), 9),
        mended(None),
        mended(Some(vpn())),
        erased(),
    ] {
        let stored = Tenant::encode(&event);
        let read = Tenant::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}

#[test]
fn a_quorum_with_an_act_that_is_not_known_is_not_read_as_if_without() {
    use countersign_proto::event::QuorumSet;
    use prost::Message as _;
    let set = QuorumSet { acts: vec![4, 99], approvers: 2, delay_ms: 0 };
    assert!(Tenant::decode("QuorumSet", 1, &set.encode_to_vec().into()).is_err());
}
