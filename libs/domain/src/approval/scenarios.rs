//! Scenarios of every command, event and rejection.

use std::{collections::BTreeMap, time::Duration};

use countersign_core::ApprovalId;
use countersign_crypto::Sealed;
use countersign_eventsourcing::{EventCodec as _, Scenario};
use uuid::Uuid;

use super::*;

const ID: ApprovalId = ApprovalId::new(Uuid::from_u128(7));
const TERMS: Terms = Terms { approvers: 2, delay: Duration::from_secs(60) };

fn given(events: impl IntoIterator<Item = Event>) -> Scenario<Approval> {
    Scenario::given(events)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn asked() -> ApprovalRequested {
    ApprovalRequested {
        approval_id: ID,
        act: DangerousAct::BreakGlass,
        method: "BreakGlass".into(),
        digest: [7; 32],
        requester: "ada".into(),
        user_id: Some(Sealed { key_id: "acme.00".into(), ciphertext: vec![1] }),
        details: BTreeMap::from([("lifetime".to_owned(), "3600 s".to_owned())]),
        terms: TERMS,
        requested_at: at(0),
        expires_at: at(1_000),
    }
}

fn requested() -> Event {
    Event::ApprovalRequested(asked())
}

fn gave(approver: &str, seconds: i64) -> Event {
    let approver = approver.into();
    Event::ApprovalGiven(ApprovalGiven { approval_id: ID, approver, given_at: at(seconds) })
}

fn declined() -> Event {
    Event::ApprovalDeclined(ApprovalDeclined {
        approval_id: ID,
        decliner: "bob".into(),
        reason: "no".to_owned(),
        declined_at: at(20),
    })
}

fn withdrawn() -> Event {
    Event::ApprovalWithdrawn(ApprovalWithdrawn { approval_id: ID, withdrawn_at: at(20) })
}

fn used(seconds: i64) -> Event {
    Event::ApprovalUsed(ApprovalUsed { approval_id: ID, used_at: at(seconds) })
}

fn give(approver: &str, seconds: i64) -> Command {
    Command::Give { approver: approver.into(), now: at(seconds) }
}

fn decline(decliner: &str, seconds: i64) -> Command {
    let reason = "no".to_owned();
    Command::Decline { decliner: decliner.into(), reason, now: at(seconds) }
}

fn withdraw(requester: &str, seconds: i64) -> Command {
    Command::Withdraw { requester: requester.into(), now: at(seconds) }
}

fn carry_out(seconds: i64) -> Command {
    let (requester, now) = ("ada".into(), at(seconds));
    Command::Use { requester, digest: [7; 32], terms: Terms::default(), now }
}

fn approved() -> Vec<Event> {
    vec![requested(), gave("bob", 10), gave("cleo", 20)]
}

#[test]
fn others_are_asked_once() {
    given([]).when(Command::Request(Box::new(asked()))).then([requested()]);
    given([requested()]).when(Command::Request(Box::new(asked()))).then([]);
}

#[test]
fn others_agree_and_each_counts_once() {
    given([requested()]).when(give("bob", 10)).then([gave("bob", 10)]);
    given([requested(), gave("bob", 10)]).when(give("bob", 11)).then([]);
    given([requested(), gave("bob", 10)]).when(give("cleo", 20)).then([gave("cleo", 20)]);
    given(approved()).when(give("dora", 30)).then([gave("dora", 30)]);
}

#[test]
fn nobody_decides_on_their_own_request() {
    given([requested()]).when(give("ada", 10)).then_rejected(Rejection::OwnRequest);
    given([requested()]).when(decline("ada", 10)).then_rejected(Rejection::OwnRequest);
}

#[test]
fn what_enough_agree_to_is_done_once_after_the_delay() {
    given([requested()]).when(carry_out(50)).then_rejected(Rejection::Pending);
    given([requested(), gave("bob", 10)]).when(carry_out(90)).then_rejected(Rejection::Pending);
    let waiting = Rejection::Waiting { until: at(80) };
    given(approved()).when(carry_out(79)).then_rejected(waiting);
    given(approved()).when(carry_out(80)).then([used(80)]);
    given(approved()).when(carry_out(80)).when(carry_out(81)).then_rejected(Rejection::Used);
}

#[test]
fn a_clock_that_goes_back_shortens_no_delay() {
    let events = [requested(), gave("bob", 500), gave("cleo", 20)];
    given(events).when(carry_out(200)).then_rejected(Rejection::Waiting { until: at(560) });
}

#[test]
fn only_what_was_agreed_to_is_done_and_only_by_whoever_asked() {
    for (requester, digest) in [("ada", [8; 32]), ("bob", [7; 32])] {
        let (requester, terms, now) = (requester.into(), Terms::default(), at(80));
        let command = Command::Use { requester, digest, terms, now };
        given(approved()).when(command).then_rejected(Rejection::Mismatch);
    }
    given([]).when(carry_out(80)).then_rejected(Rejection::NotFound);
}

#[test]
fn terms_that_became_stricter_hold_for_what_was_asked_before() {
    let by = |terms| Command::Use { requester: "ada".into(), digest: [7; 32], terms, now: at(80) };
    let more = Terms { approvers: 3, ..TERMS };
    given(approved()).when(by(more)).then_rejected(Rejection::Pending);
    let longer = Terms { delay: Duration::from_secs(100), ..TERMS };
    given(approved()).when(by(longer)).then_rejected(Rejection::Waiting { until: at(120) });
}

#[test]
fn one_objection_ends_it_even_while_the_delay_runs() {
    given([requested()]).when(decline("bob", 20)).then([declined()]);
    given(approved()).when(decline("dora", 70)).then([Event::ApprovalDeclined(ApprovalDeclined {
        approval_id: ID,
        decliner: "dora".into(),
        reason: "no".to_owned(),
        declined_at: at(70),
    })]);
    for command in [give("cleo", 30), decline("cleo", 30), withdraw("ada", 30), carry_out(90)] {
        given([requested(), declined()]).when(command).then_rejected(Rejection::Declined);
    }
}

#[test]
fn whoever_asked_and_nobody_else_takes_it_back() {
    given([requested()]).when(withdraw("ada", 20)).then([withdrawn()]);
    given([requested(), withdrawn()]).when(withdraw("ada", 30)).then([]);
    given([requested()]).when(withdraw("bob", 20)).then_rejected(Rejection::NotFound);
    for command in [give("cleo", 30), decline("cleo", 30), carry_out(90)] {
        given([requested(), withdrawn()]).when(command).then_rejected(Rejection::Withdrawn);
    }
}

#[test]
fn what_was_used_is_over() {
    let done = [approved(), vec![used(80)]].concat();
    for command in [give("dora", 90), decline("dora", 90), withdraw("ada", 90)] {
        given(done.clone()).when(command).then_rejected(Rejection::Used);
    }
}

#[test]
fn after_its_time_it_is_worth_nothing() {
    for command in
        [give("dora", 1_000), decline("dora", 1_000), withdraw("ada", 1_000), carry_out(1_000)]
    {
        given(approved()).when(command).then_rejected(Rejection::Expired);
    }
    given(approved()).when(carry_out(999)).then([used(999)]);
}

#[test]
fn nothing_is_decided_about_what_nobody_asked_for() {
    for command in [give("bob", 1), decline("bob", 1), withdraw("ada", 1)] {
        given([]).when(command).then_rejected(Rejection::NotFound);
    }
}

#[test]
fn every_event_survives_the_stored_form() {
    let plain = ApprovalRequested { user_id: None, ..asked() };
    let events = [
        requested(),
        Event::ApprovalRequested(plain),
        gave("bob", 10),
        declined(),
        withdrawn(),
        used(80),
    ];
    for event in events {
        let stored = Approval::encode(&event);
        let read = Approval::decode(stored.event_type, stored.schema_version, &stored.payload);
        assert_eq!(read, Ok(event));
    }
}
