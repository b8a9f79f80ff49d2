//! What must hold: of every answer, of all replicas together, and in the end.

use std::time::Duration;

use countersign_core::{Clock as _, Timestamp};
use countersign_eventsourcing::FollowError;
use countersign_proto::{
    challenge::{GetChallengeRequest, VerificationOutcome, VerifyChallengeRequest},
    enrollment::ConfirmationOutcome,
};
use countersign_tests::{reason, retry_after};
use futures_util::future::join_all;
use tokio::time::error::Elapsed;
use tonic::{Code, Status};

use crate::{
    Held,
    asking::{Answer, Request},
    ledger::{Fact, Verdict},
    simulation::{STEP, Simulation},
};

/// Far longer than anything takes: whoever waits this long waits for ever.
const FOR_EVER: Duration = Duration::from_secs(20);

/// What the domain may say to these requests.
const DOMAIN: &[&str] = &[
    // An enrolment that gave way to newer ones long ago.
    "AUTHENTICATOR_NOT_FOUND",
    "CHALLENGE_CLOSED",
    "CHALLENGE_EXPIRED",
    "CHALLENGE_NOT_FOUND",
    "ENROLLMENT_CLOSED",
    "ENROLLMENT_EXPIRED",
    "THROTTLED",
    "TOO_MANY_AUTHENTICATORS",
];

impl Simulation {
    /// Makes requests at replicas, all at once, and judges what comes of it.
    pub(crate) async fn ask(&mut self, pairs: Vec<(usize, usize)>) -> Held {
        let struck = self.log.struck();
        let expected = self.expectation(&pairs);
        let calls: Vec<_> = pairs.iter().map(|_| self.new_call()).collect();
        for ((place, _), call) in pairs.iter().zip(&calls) {
            self.asked[*place].calls.push(*call);
        }
        let answers = join_all(pairs.iter().zip(&calls).map(|((place, at), call)| {
            self.replicas[*at].call(self.asked[*place].request.clone(), *call)
        }));
        let answers = tokio::time::timeout(FOR_EVER, answers).await;
        let answers = answers.map_err(|_| "a call is never answered".to_owned())?;
        self.ledger.catch_up(&self.log.truth).await?;
        let log_failed = self.log.struck() > struck;
        for ((place, at), answer) in pairs.into_iter().zip(answers) {
            let judged = match answer {
                Ok(answer) => self.judge_answer(place, answer, expected.as_ref()),
                Err(status) => self.judge_error(place, &status, log_failed, expected.as_ref()),
            };
            let of = |what| format!("{:?} at replica {at}: {what}", self.asked[place].request);
            judged.map_err(of)?;
        }
        Ok(())
    }

    /// Says what an answer to a challenge must come to, if it is clear: nothing else is asked at the same time, and
    /// nothing is still under way.
    fn expectation(&self, pairs: &[(usize, usize)]) -> Option<Verdict> {
        let place = pairs.first()?.0;
        let asked = &self.asked[place];
        let Request::Verify(request) = &asked.request else { return None };
        let alone = pairs.iter().all(|(other, _)| *other == place);
        let fresh = self.ledger.did(&asked.calls).is_empty();
        (alone && fresh && !self.log.owes()).then(|| {
            let now = self.clock.now();
            let steps = self.steps(request, now);
            let (challenge, authenticator) = (&request.challenge_id, &request.authenticator_id);
            self.ledger.verdict(challenge, authenticator, &steps, now)
        })
    }

    /// Returns which steps of the window have this code.
    fn steps(&self, request: &VerifyChallengeRequest, now: Timestamp) -> Vec<u64> {
        let phone = &self.phones[&request.authenticator_id];
        let present = now.unix_seconds() / STEP;
        let of_window = present - 1..=present + 1;
        of_window
            .filter(|step| phone.code(Timestamp::from_unix_seconds(step * STEP)) == request.code)
            .map(i64::unsigned_abs)
            .collect()
    }

    /// What somebody was told is in the log, once, and is what others were told.
    fn judge_answer(&mut self, place: usize, answer: Answer, expected: Option<&Verdict>) -> Held {
        let asked = &self.asked[place];
        let did = self.ledger.did(&asked.calls);
        let [did] = did[..] else { return Err(format!("it did {did:?}, but told {answer:?}")) };
        if !tells(&asked.request, &answer, did) {
            return Err(format!("told {answer:?}, but the log has {did:?}"));
        }
        if let Some(expected) = expected
            && *expected != came_to(did)
        {
            return Err(format!("it must come to {expected:?}, but the log has {did:?}"));
        }
        match &asked.answer {
            Some(first) if !answer.repeats(first) => {
                Err(format!("first told {first:?}, then {answer:?}"))
            }
            Some(_) => Ok(()),
            None => {
                self.learn(place, answer);
                Ok(())
            }
        }
    }

    /// An error is the log's, if it failed, or the domain's, and then nothing happened.
    fn judge_error(
        &self,
        place: usize,
        status: &Status,
        log_failed: bool,
        expected: Option<&Verdict>,
    ) -> Held {
        let reason = reason(status);
        if status.code() == Code::Unavailable {
            let is_right = log_failed && reason == "LOG_UNAVAILABLE";
            return if is_right && retry_after(status).is_some() {
                Ok(())
            } else {
                Err(format!("unavailable though the log did not fail, or without delay: {status}"))
            };
        }
        if !DOMAIN.contains(&reason.as_str()) {
            return Err(format!("not an error of the domain: {status}"));
        }
        let asked = &self.asked[place];
        let did = self.ledger.did(&asked.calls);
        let forgotten = reason == "CHALLENGE_NOT_FOUND"
            && did
                .iter()
                .any(|fact| fact.challenge().is_some_and(|c| self.ledger.has_forgotten(c)));
        if !did.is_empty() && !forgotten {
            return Err(format!("refused as {reason}, but the log has {did:?}"));
        }
        match expected {
            Some(Verdict::Rejected(expected)) if *expected == reason => Ok(()),
            Some(expected) => Err(format!("it must come to {expected:?}, not {reason}")),
            None => Ok(()),
        }
    }

    /// Every replica says of every challenge what the log says, or that the log failed.
    pub(crate) async fn look(&mut self) -> Held {
        for known in &self.challenges {
            let challenge_id = known.challenge.challenge_id.clone();
            let request = GetChallengeRequest { user_id: known.user.clone(), challenge_id };
            for replica in &self.replicas {
                let struck = self.log.struck();
                let shown = replica.look(request.clone()).await;
                // What was late may have come meanwhile.
                self.ledger.catch_up(&self.log.truth).await?;
                let id = &request.challenge_id;
                let truth = &self.ledger.challenges[id];
                match shown {
                    Ok(shown) => {
                        let told = (shown.status(), shown.attempts_left);
                        let right = (truth.status_at(self.clock.now()), truth.attempts_left);
                        if told != right {
                            return Err(format!("challenge {id} is {right:?}, not {told:?}"));
                        }
                    }
                    Err(_) if self.ledger.has_forgotten(id) => {}
                    Err(status) if self.log.struck() > struck => {
                        if reason(&status) != "LOG_UNAVAILABLE" || retry_after(&status).is_none() {
                            return Err(format!("challenge {id} cannot be seen: {status}"));
                        }
                    }
                    Err(status) => return Err(format!("challenge {id} cannot be seen: {status}")),
                }
            }
        }
        Ok(())
    }

    pub(crate) async fn announce(&mut self) -> Held {
        let trouble = self.trouble();
        let round = tokio::time::timeout(FOR_EVER, self.notifier.announce()).await;
        self.judge_round(trouble, round).await
    }

    pub(crate) async fn send(&mut self) -> Held {
        let trouble = self.trouble();
        let round = tokio::time::timeout(FOR_EVER, self.notifier.send()).await;
        self.judge_round(trouble, round).await
    }

    /// Returns how often the log or the provider failed.
    fn trouble(&self) -> usize {
        self.log.struck() + self.provider.busy()
    }

    /// Followers go on as far as they can; what stops them is the log or the provider.
    async fn judge_round(
        &mut self,
        trouble: usize,
        round: Result<Result<(), FollowError>, Elapsed>,
    ) -> Held {
        self.ledger.catch_up(&self.log.truth).await?;
        match round {
            Err(_) => Err("a follower hangs".to_owned()),
            Ok(Err(error)) if self.trouble() == trouble => {
                Err(format!("a follower stopped though nothing failed: {error}"))
            }
            Ok(Ok(()) | Err(_)) => self.judge_deliveries(),
        }
    }

    fn judge_deliveries(&self) -> Held {
        let wrong = self.provider.wrong();
        if !wrong.is_empty() {
            return Err(format!("handed over, but not due: {wrong:?}"));
        }
        let again = self.provider.offers().into_iter().find(|(_, o)| o.taken > self.notifiers);
        match again {
            Some((id, offers)) => Err(format!("delivery {id} was handed over again: {offers:?}")),
            None if self.notifier.passed_over() > 0 => Err("an event was passed over".to_owned()),
            None => Ok(()),
        }
    }

    /// Once all is well: whoever was not answered is, replicas agree, and users were told.
    pub(crate) async fn finish(mut self) -> Held {
        self.log.heal().await;
        self.provider.recover();
        self.ledger.catch_up(&self.log.truth).await?;
        for place in 0..self.asked.len() {
            // Those who were answered are told the same now.
            let at = place % self.replicas.len();
            self.ask(vec![(place, at)]).await?;
        }
        self.look().await?;
        self.announce().await?;
        self.send().await?;
        let offers = self.provider.offers();
        let mut announced = self.ledger.deliveries.iter();
        let waiting = announced.find(|(id, ended)| !**ended || !offers.contains_key(*id));
        if let Some((id, _)) = waiting {
            return Err(format!("delivery {id} was announced and never handed over"));
        }
        let (told, due) = (self.ledger.deliveries.len(), self.ledger.to_be_told);
        if told == due { Ok(()) } else { Err(format!("{told} deliveries for {due} events")) }
    }
}

impl Fact {
    fn challenge(&self) -> Option<&str> {
        match self {
            Self::Issued { challenge }
            | Self::Verified { challenge, .. }
            | Self::Refused { challenge, .. } => Some(challenge),
            Self::Started { .. } | Self::Confirmed { .. } | Self::NotConfirmed { .. } => None,
        }
    }
}

/// Returns what an answer came to by what it did.
fn came_to(did: &Fact) -> Verdict {
    match did {
        Fact::Verified { step, .. } => Verdict::Verified { step: *step },
        Fact::Refused { attempts_left, .. } => Verdict::Refused { attempts_left: *attempts_left },
        Fact::Issued { .. }
        | Fact::Started { .. }
        | Fact::Confirmed { .. }
        | Fact::NotConfirmed { .. } => Verdict::Rejected("not an answer"),
    }
}

/// Returns whether `answer` tells what was done.
fn tells(request: &Request, answer: &Answer, did: &Fact) -> bool {
    match (request, answer, did) {
        (_, Answer::Start(told), Fact::Started { authenticator }) => {
            told.authenticator_id.as_ref().is_none_or(|told| told == authenticator)
        }
        (Request::Confirm(asked), Answer::Confirm(told), Fact::Confirmed { authenticator }) => {
            asked.authenticator_id == *authenticator
                && told.outcome() == ConfirmationOutcome::Confirmed
        }
        (_, Answer::Confirm(told), Fact::NotConfirmed { attempts_left }) => {
            told.outcome() == ConfirmationOutcome::Refused && told.attempts_left == *attempts_left
        }
        (_, Answer::Create(told), Fact::Issued { challenge }) => {
            told.challenge.as_ref().is_some_and(|told| told.challenge_id == *challenge)
        }
        (Request::Verify(asked), Answer::Verify(told), Fact::Verified { challenge, .. }) => {
            asked.challenge_id == *challenge && told.outcome() == VerificationOutcome::Verified
        }
        (
            Request::Verify(asked),
            Answer::Verify(told),
            Fact::Refused { challenge, attempts_left },
        ) => {
            asked.challenge_id == *challenge
                && told.outcome() == VerificationOutcome::Refused
                && told.attempts_left == *attempts_left
        }
        _ => false,
    }
}
