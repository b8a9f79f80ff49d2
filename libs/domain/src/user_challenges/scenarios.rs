//! Scenarios of failures from several sources: 1 is the user's own, others are outsiders'.

use super::{
    budgets::PROVEN_FOR,
    fixtures::*,
    story::{DAY, Story, from},
    *,
};
use crate::throttle::Closure;

fn until(seconds: i64) -> Option<Closure> {
    Some(Closure { until: Some(at(seconds)) })
}

#[test]
fn a_source_that_failed_is_paused_and_no_other() {
    let mut story = Story::default();
    for _ in 0..4 {
        assert_eq!(story.fails(2, 0), None);
    }
    let closed_to = ClosedTo::Source { source: from(2), unproven: None };
    assert_eq!(story.fails(2, 0), Some((closed_to, Some(at(30)))));
    assert_eq!(story.closure(2, 0), until(30));
    assert_eq!((story.closure(3, 0), story.closure(1, 0)), (None, None));
    assert_eq!(story.state.closure(authenticator(1), None, at(0)), None);
    let throttle = story.throttle(0).unwrap();
    assert_eq!((throttle.scope, throttle.until), (ThrottleScope::FailedSources, Some(at(30))));
    assert_eq!(story.throttle(30), None);
}

#[test]
fn answers_that_name_no_source_are_those_of_one() {
    let mut story = Story::default();
    for _ in 0..5 {
        story.answer(None, false, at(0)).unwrap();
    }
    let refused = story.answer(None, true, at(0)).unwrap_err();
    assert_eq!(refused, Rejection::Throttled { until: Some(at(30)) });
    assert_eq!(story.closure(1, 0), None);
}

#[test]
fn a_right_answer_during_a_pause_of_its_source_is_refused_as_a_wrong_one() {
    let mut story = Story::default();
    story.fail_each((0..5).map(|_| 2), 0);
    let refusal = Rejection::Throttled { until: Some(at(30)) };
    assert_eq!(story.clone().answer(from(2), true, at(29)), Err(refusal));
    assert_eq!(story.answer(from(2), false, at(29)), Err(refusal));
}

#[test]
fn many_sources_together_are_paused_but_not_one_that_has_proved_itself() {
    let mut story = Story::default();
    story.proves(1, 0);
    for stranger in 0..19 {
        assert_eq!(story.fails(100 + stranger, 1), None);
    }
    let (closed_to, paused) = story.fails(119, 1).unwrap();
    let unproven = until(31);
    assert_eq!(
        (closed_to, paused),
        (ClosedTo::Source { source: from(119), unproven }, Some(at(31)))
    );
    assert_eq!(story.closure(999, 1), unproven);
    assert_eq!(story.state.closure(authenticator(1), None, at(1)), unproven);
    assert_eq!(story.throttle(1).unwrap().scope, ThrottleScope::NewSources);
    assert_eq!(story.closure(1, 1), None);
    story.proves(1, 1);
    // The user's success does not give the outsiders new attempts.
    assert_eq!(story.closure(999, 1), unproven);
    assert_eq!(story.fails(120, 31).unwrap().1, Some(at(31 + 60)));
}

#[test]
fn a_source_that_proves_itself_takes_its_own_failures_with_it() {
    let mut story = Story::default();
    story.fail_each((0..15).map(|stranger| 100 + stranger), 0);
    story.fail_each((0..4).map(|_| 1), 0);
    story.proves(1, 0);
    (0..4).for_each(|stranger| assert_eq!(story.fails(200 + stranger, 0), None, "{stranger}"));
    assert!(story.fails(204, 0).is_some(), "the twentieth that was not the user's");
}

#[test]
fn a_source_that_has_proved_itself_has_a_budget_of_its_own() {
    let mut story = Story::default();
    story.proves(1, 0);
    (0..4).for_each(|_| assert_eq!(story.fails(1, 1), None));
    let closed_to = ClosedTo::Source { source: from(1), unproven: None };
    assert_eq!(story.fails(1, 1), Some((closed_to, Some(at(31)))));
    assert_eq!(story.closure(2, 1), None);
    // Its failures do not count as those of strangers.
    (0..19).for_each(|stranger| assert_eq!(story.fails(100 + stranger, 2), None));
}

#[test]
fn what_proved_a_source_is_forgotten_in_time_and_with_too_many_newer_ones() {
    let proven_for = i64::try_from(PROVEN_FOR.as_secs()).unwrap();
    let mut story = Story::default();
    story.proves(1, 0);
    story.besiege(proven_for - 1, proven_for);
    assert_eq!(story.closure(1, proven_for - 1), None);
    assert!(story.closure(1, proven_for).is_some());

    let mut story = Story::default();
    story.proves(1, 0);
    story.fail_each((0..20).map(|stranger| 300 + stranger), proven_for);
    assert!(story.closure(1, proven_for).is_some());

    let mut story = Story::default();
    for source in 1..=9 {
        story.proves(source, 0);
    }
    story.fail_each((0..20).map(|stranger| 100 + stranger), 1);
    assert!(story.closure(1, 1).is_some(), "eight newer ones have proved themselves since");
    assert_eq!(story.closure(2, 1), None);
}

#[test]
fn an_outsider_never_uses_up_what_is_kept_for_sources_that_have_proved_themselves() {
    let mut story = Story::default();
    story.proves(1, 0);
    let tried = story.besiege(1, 365 * DAY);
    assert_eq!(tried.len(), 95);
    assert_eq!(story.closure(999, 30 * DAY), Some(Closure { until: None }));
    assert_eq!(story.throttle(30 * DAY).unwrap().scope, ThrottleScope::NewSources);
    assert_eq!(story.closure(1, 30 * DAY), None);
    (0..4).for_each(|_| assert_eq!(story.clone().fails(1, 30 * DAY), None));
    // The user's right answer ends the run, and so opens the door to others again.
    story.proves(1, 30 * DAY);
    assert_eq!(story.closure(999, 30 * DAY), None);
    assert_eq!(story.throttle(30 * DAY), None);
}

#[test]
fn the_hundredth_failure_in_a_row_closes_out_everyone() {
    let mut story = Story::default();
    story.proves(1, 0);
    let last = *story.besiege(1, 365 * DAY).last().unwrap();
    (0..4).for_each(|_| assert_eq!(story.fails(1, last), None));
    assert_eq!(story.fails(1, last), Some((ClosedTo::Everyone, None)));
    let refusal = Rejection::Throttled { until: None };
    for source in [1, 2] {
        assert_eq!(story.answer(from(source), true, at(last + 365 * DAY)), Err(refusal));
    }
    let throttle = story.throttle(last).unwrap();
    let expected =
        Throttle { consecutive_failures: 100, until: None, scope: ThrottleScope::Everyone };
    assert_eq!(throttle, expected);
}

#[test]
fn without_a_source_that_has_proved_itself_all_hundred_are_anyones() {
    let mut story = Story::default();
    assert_eq!(story.besiege(0, 365 * DAY).len(), 100);
    assert_eq!(story.throttle(365 * DAY).unwrap().scope, ThrottleScope::Everyone);
}

#[test]
fn strangers_are_closed_out_for_a_month_when_they_had_a_hundred_while_the_user_signed_in() {
    let mut story = Story::default();
    let mut tried = 0;
    for day in 0.. {
        story.proves(1, day * DAY);
        tried += story.besiege(day * DAY + 1, (day + 1) * DAY).len();
        let rest = i64::try_from(Closure::REST.as_secs()).unwrap();
        if tried >= 100 {
            assert_eq!(tried, 100);
            let opens = story.closure(999, (day + 1) * DAY).unwrap().until.unwrap().unix_seconds();
            assert!(opens > day * DAY + rest);
            assert_eq!(story.closure(1, day * DAY), None);
            assert_eq!(story.fails(999, opens), None, "and then all begins again");
            return;
        }
    }
}

#[test]
fn a_release_clears_what_is_held_against_anyone_and_keeps_who_proved_themselves() {
    let mut story = Story::default();
    story.proves(1, 0);
    story.fail_each((0..20).map(|stranger| 100 + stranger), 1);
    story.fail_each((0..5).map(|_| 1), 1);
    let release = ReleaseThrottle { authenticator_id: authenticator(1) };
    story.ask(Command::ReleaseThrottle(release)).unwrap();
    assert_eq!((story.closure(1, 1), story.closure(2, 1), story.throttle(1)), (None, None, None));
    let again = story.ask(Command::ReleaseThrottle(release));
    assert_eq!(again, Err(Rejection::NotThrottled));
    story.fail_each((0..20).map(|stranger| 100 + stranger), 1);
    assert!(story.closure(2, 1).is_some() && story.closure(1, 1).is_none());
}

#[test]
fn a_release_is_for_failures_that_a_success_elsewhere_did_not_clear() {
    let mut story = Story::default();
    story.fail_each((0..20).map(|stranger| 100 + stranger), 0);
    story.proves(1, 30);
    assert!(story.closure(2, 0).is_some());
    let release = ReleaseThrottle { authenticator_id: authenticator(1) };
    story.ask(Command::ReleaseThrottle(release)).unwrap();
    assert_eq!(story.closure(2, 0), None);
}

#[test]
fn what_was_recorded_before_sources_were_told_apart_is_held_against_whoever_names_none() {
    let old = |failures| {
        Event::AttemptFailed(AttemptFailed {
            challenge_id: challenge(9),
            authenticator_id: authenticator(1),
            attempts_left: 1,
            consecutive_failures: failures,
            reason: AttemptFailure::Unknown,
            failed_at: at(0),
            source: None,
            source_failures: None,
            unproven_failures: None,
        })
    };
    let closed = |until| {
        Event::AuthenticatorThrottled(AuthenticatorThrottled {
            authenticator_id: authenticator(1),
            consecutive_failures: 5,
            until: Some(at(until)),
            closed_to: ClosedTo::Everyone,
        })
    };
    let history: Vec<_> = (1..=5).map(old).chain([closed(30), issued(1, 30)]).collect();
    // The pause was everyone's, and stays so.
    let refusal = Rejection::Throttled { until: Some(at(30)) };
    let by = |source, seconds| {
        let answer = answer(1, Judgement::Wrong);
        Command::Answer(Answer { source, now: at(seconds), ..answer })
    };
    given(history.clone()).when(by(from(1), 29)).then_rejected(refusal);
    // Then the one who names none goes on where all of them were.
    given(history.clone()).when(by(None, 30)).then_state(|state| {
        assert_eq!(state.closure(authenticator(1), None, at(30)), until(90));
    });
    given(history).when(by(from(1), 30)).then_state(|state| {
        assert_eq!(state.closure(authenticator(1), from(1), at(30)), None);
        assert_eq!(state.ledger(authenticator(1)).unwrap().consecutive_failures, 6);
    });
}
