//! Scenarios of API keys.

use super::super::{Command, OrganisationCreated, Tenant, TenantCreated};
use super::*;
use countersign_eventsourcing::Scenario;

const HOUR: i64 = 3_600;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn key(n: usize) -> KeyId {
    KeyId::parse(&format!("key{n}")).unwrap()
}

fn organisation() -> OrganisationId {
    OrganisationId::parse("north").unwrap()
}

fn issue(n: usize) -> IssueApiKey {
    IssueApiKey {
        key_id: key(n),
        display_name: "platform".to_owned(),
        secret_hash: [1; 32],
        roles: vec![Role::Verifier],
        now: at(0),
        expires_at: Some(at(9 * HOUR)),
        organisation_id: None,
        allowed_addresses: vec!["10.0.0.0/8".to_owned()],
    }
}

fn issued(n: usize) -> Event {
    let IssueApiKey { key_id, display_name, secret_hash, roles, now, .. } = issue(n);
    Event::ApiKeyIssued(ApiKeyIssued {
        key_id,
        display_name,
        secret_hash,
        roles,
        issued_at: now,
        expires_at: Some(at(9 * HOUR)),
        organisation_id: None,
        allowed_addresses: vec!["10.0.0.0/8".to_owned()],
    })
}

fn rotate(seconds: i64, overlap: u64) -> Command {
    Command::RotateApiKey(RotateApiKey {
        key_id: key(1),
        secret_hash: [2; 32],
        now: at(seconds),
        overlap: Duration::from_secs(overlap),
    })
}

fn rotated(seconds: i64, until: i64) -> Event {
    Event::ApiKeyRotated(ApiKeyRotated {
        key_id: key(1),
        secret_hash: [2; 32],
        rotated_at: at(seconds),
        previous_until: at(until),
    })
}

fn revoked() -> Event {
    Event::ApiKeyRevoked(ApiKeyRevoked { key_id: key(1) })
}

fn note(n: usize, seconds: i64) -> Command {
    Command::NoteApiKeyUse(NoteApiKeyUse { key_id: key(n), now: at(seconds) })
}

fn used(seconds: i64) -> Event {
    Event::ApiKeyUsed(ApiKeyUsed { key_id: key(1), used_at: at(seconds) })
}

fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Tenant> {
    let created = TenantCreated { display_name: "Acme".to_owned(), created_at: at(0) };
    Scenario::given([Event::TenantCreated(created)].into_iter().chain(events))
}

#[test]
fn a_key_is_confined_to_an_organisation_that_is_there() {
    let confined =
        || Command::IssueApiKey(IssueApiKey { organisation_id: Some(organisation()), ..issue(1) });
    given([]).when(confined()).then_rejected(Rejection::OrganisationNotFound);
    let created = Event::OrganisationCreated(OrganisationCreated {
        organisation_id: organisation(),
        display_name: "North".to_owned(),
    });
    given([created]).when(confined()).then_state(|state| {
        let (_, key) = state.api_keys().next().unwrap();
        assert_eq!(key.organisation_id, Some(organisation()));
    });
}

#[test]
fn a_rotated_key_opens_with_both_secrets_until_the_overlap_has_passed() {
    given([issued(1)]).when(rotate(10, 60)).then([rotated(10, 70)]);
    given([issued(1)]).when(rotate(10, 60)).then_state(|state| {
        let key = state.api_key(&key(1)).unwrap();
        assert_eq!(key.secret_hashes(at(69)), [&[2; 32], &[1; 32]]);
        assert_eq!(key.secret_hashes(at(70)), [&[2; 32], &[2; 32]]);
    });
}

#[test]
fn a_second_rotation_ends_the_first_secret_at_once() {
    let again = Command::RotateApiKey(RotateApiKey {
        key_id: key(1),
        secret_hash: [3; 32],
        now: at(20),
        overlap: Duration::from_secs(60),
    });
    given([issued(1), rotated(10, 70)]).when(again).then_state(|state| {
        let key = state.api_key(&key(1)).unwrap();
        assert_eq!(key.secret_hashes(at(21)), [&[3; 32], &[2; 32]]);
    });
}

#[test]
fn a_key_that_opens_nothing_is_not_rotated() {
    given([]).when(rotate(0, 0)).then_rejected(Rejection::ApiKeyNotFound);
    given([issued(1), revoked()]).when(rotate(1, 0)).then_rejected(Rejection::ApiKeyNotFound);
    given([issued(1)]).when(rotate(9 * HOUR, 0)).then_rejected(Rejection::ApiKeyNotFound);
}

#[test]
fn a_use_is_told_once_an_hour() {
    given([issued(1)]).when(note(1, HOUR + 5)).then([used(HOUR)]);
    given([issued(1), used(HOUR)]).when(note(1, 2 * HOUR - 1)).then([]);
    given([issued(1), used(HOUR)]).when(note(1, 2 * HOUR)).then([used(2 * HOUR)]);
    // A clock that jumps back tells nothing new.
    given([issued(1), used(2 * HOUR)]).when(note(1, HOUR)).then([]);
    given([]).when(note(1, 0)).then_rejected(Rejection::ApiKeyNotFound);
}

#[test]
fn ending_a_key_twice_is_the_same_as_once() {
    let revoke = || Command::RevokeApiKey(RevokeApiKey { key_id: key(1) });
    given([issued(1)]).when(revoke()).then([revoked()]);
    given([issued(1), revoked()]).when(revoke()).then([]);
    given([]).when(revoke()).then_rejected(Rejection::ApiKeyNotFound);
}

#[test]
fn a_tenant_has_so_many_keys_and_no_more() {
    let full = || (0..MAX_API_KEYS).map(issued);
    let one_more = || Command::IssueApiKey(issue(MAX_API_KEYS));
    given(full()).when(one_more()).then_rejected(Rejection::TooManyApiKeys);
    given(full().chain([revoked()])).when(one_more()).then([issued(MAX_API_KEYS)]);
}
