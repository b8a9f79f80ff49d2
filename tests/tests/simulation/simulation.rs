//! Replicas, followers, callers and phones, and how an operation is performed on them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use countersign_core::{Clock as _, Timestamp};
use countersign_eventsourcing::{MemoryCheckpoints, NoSnapshots};
use countersign_keys::LocalKeys;
use countersign_proto::{
    challenge::{Challenge, CreateChallengeRequest, VerifyChallengeRequest},
    enrollment::{ConfirmEnrollmentRequest, StartEnrollmentRequest},
};
use countersign_service::{Foundation, FoundationParts};
use countersign_testkit::{MovableClock, SeededRandom};
use countersign_tests::Phone;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    Held,
    asking::{Answer, Asked, Request},
    faulty_log::FaultyLog,
    ledger::Ledger,
    notifier::{Notifier, Provider},
    operation::{CodeGiven, Operation},
    replica::{Replica, create_tenant},
};

const USERS: [&str; 2] = ["ann", "bob"];

/// The step of an authenticator app in seconds.
pub(crate) const STEP: i64 = 30;

/// A challenge as its first caller saw it.
pub(crate) struct Known {
    pub(crate) user: String,
    pub(crate) challenge: Challenge,
}

/// Everything.
pub(crate) struct Simulation {
    _directory: TempDir,
    keys: LocalKeys,
    key: String,
    seed: u64,
    /// How many processes and calls there were, so that each is another.
    pub(crate) numbers: u64,
    pub(crate) clock: Arc<MovableClock>,
    pub(crate) log: Arc<FaultyLog>,
    pub(crate) replicas: Vec<Replica>,
    pub(crate) notifier: Notifier,
    pub(crate) notifiers: usize,
    checkpoints: Arc<MemoryCheckpoints>,
    pub(crate) provider: Arc<Provider>,
    pub(crate) asked: Vec<Asked>,
    /// By authenticator.
    pub(crate) phones: BTreeMap<String, Phone>,
    pub(crate) challenges: Vec<Known>,
    pub(crate) ledger: Ledger,
}

impl Simulation {
    /// Starts with users who are enrolled, and in a step whose codes are not spent.
    pub(crate) async fn start(seed: u64, replicas: usize) -> Result<Self, String> {
        let directory = tempfile::tempdir().unwrap();
        let rng = Arc::new(SeededRandom::new(seed));
        let keys = LocalKeys::open(&directory.path().join("keys"), Arc::clone(&rng) as _).unwrap();
        let log = Arc::new(FaultyLog::new(seed));
        let clock = Arc::<MovableClock>::default();
        let mut numbers = 0;
        let mut process = || {
            numbers += 1;
            foundation(&log, &keys, &clock, seed ^ numbers)
        };
        let key = create_tenant(&process(), &*rng).await;
        let provider = Arc::new(Provider::new(Arc::clone(&log.truth)));
        let checkpoints = Arc::<MemoryCheckpoints>::default();
        let (followed, kept) = (Arc::clone(&log) as _, Arc::clone(&checkpoints));
        let notifier = Notifier::start(followed, process(), kept, Arc::clone(&provider));
        let replicas: Vec<_> = (0..replicas).map(|_| Replica::start(process(), &key)).collect();
        let mut simulation = Self {
            replicas,
            notifier,
            notifiers: 1,
            checkpoints,
            provider,
            asked: Vec::new(),
            phones: BTreeMap::new(),
            challenges: Vec::new(),
            ledger: Ledger::default(),
            _directory: directory,
            keys,
            key,
            seed,
            numbers,
            clock,
            log,
        };
        for user in 0..USERS.len() {
            simulation.enrol(user, &[0]).await?;
        }
        simulation.clock.advance(Duration::from_secs(60));
        Ok(simulation)
    }

    fn process(&mut self) -> Foundation {
        self.numbers += 1;
        foundation(&self.log, &self.keys, &self.clock, self.seed ^ self.numbers)
    }

    /// Does one thing, and makes sure that all holds then.
    pub(crate) async fn perform(&mut self, operation: Operation) -> Held {
        match operation {
            Operation::Enrol { user, at } => self.enrol(user.into(), &at).await,
            Operation::Challenge { user, at } => {
                let request = Request::Create(CreateChallengeRequest {
                    request_id: self.request_id(),
                    user_id: USERS[usize::from(user)].to_owned(),
                    ..Default::default()
                });
                self.ask_at(request, &at).await
            }
            Operation::Answer { back, code, at } => {
                let Some(place) = nth_newest(self.challenges.len(), back) else { return Ok(()) };
                let request = self.answer(place, code);
                self.ask_at(request, &at).await
            }
            Operation::Race { user, times } => self.race(USERS[usize::from(user)], times).await,
            Operation::Repeat { back, at } => {
                let Some(place) = nth_newest(self.asked.len(), back) else { return Ok(()) };
                self.ask(self.spread(place, &at)).await
            }
            Operation::Restart { at } => {
                let place = usize::from(at) % self.replicas.len();
                self.replicas[place] = Replica::start(self.process(), &self.key);
                Ok(())
            }
            Operation::Forward { seconds } => {
                self.clock.advance(Duration::from_secs(seconds.into()));
                Ok(())
            }
            Operation::Back { seconds } => {
                let earlier = self.clock.now().unix_seconds() - i64::from(seconds);
                self.clock.set(Timestamp::from_unix_seconds(earlier));
                Ok(())
            }
            Operation::Fault(fault) => {
                self.log.will(fault);
                Ok(())
            }
            Operation::Look => self.look().await,
            Operation::Announce => self.announce().await,
            Operation::Send => self.send().await,
            Operation::RestartNotifier => {
                let process = self.process();
                let (log, kept) = (Arc::clone(&self.log) as _, Arc::clone(&self.checkpoints));
                self.notifier = Notifier::start(log, process, kept, Arc::clone(&self.provider));
                self.notifiers += 1;
                Ok(())
            }
            Operation::Provider(act) => {
                self.provider.will(act);
                Ok(())
            }
        }
    }

    /// Begins an enrolment, and proves to every replica at once that the phone has scanned it, if the secret was told.
    async fn enrol(&mut self, user: usize, at: &[u8]) -> Held {
        let user_id = USERS[user].to_owned();
        let request = Request::Start(StartEnrollmentRequest {
            request_id: self.request_id(),
            user_id: user_id.clone(),
            kind: "totp".to_owned(),
            ..Default::default()
        });
        self.ask_at(request, &at[..1]).await?;
        let told = self.asked.last().and_then(|asked| asked.answer.clone());
        let Some(Answer::Start(started)) = told else { return Ok(()) };
        let Some(authenticator_id) = started.authenticator_id else { return Ok(()) };
        let code = self.phones[&authenticator_id].code(self.clock.now());
        let request = Request::Confirm(ConfirmEnrollmentRequest {
            request_id: self.request_id(),
            user_id,
            authenticator_id,
            code,
        });
        self.ask_at(request, at).await
    }

    /// Makes an answer to a challenge.
    fn answer(&mut self, place: usize, code: CodeGiven) -> Request {
        let Known { user, challenge } = &self.challenges[place];
        let authenticator_id = challenge.allowed_authenticators[0].authenticator_id.clone();
        let (phone, now) = (&self.phones[&authenticator_id], self.clock.now());
        let code_at = |seconds| phone.code(Timestamp::from_unix_seconds(seconds));
        let code = match code {
            CodeGiven::Present => phone.code(now),
            CodeGiven::Earlier => code_at(now.unix_seconds() - STEP),
            CodeGiven::Later => code_at(now.unix_seconds() + STEP),
            CodeGiven::Spent => {
                let spent = self.ledger.authenticators[&authenticator_id].spent.last();
                code_at(i64::try_from(*spent.unwrap()).unwrap() * STEP)
            }
            CodeGiven::Wrong => phone.wrong_code(now),
        };
        let (user_id, challenge_id) = (user.clone(), challenge.challenge_id.clone());
        Request::Verify(VerifyChallengeRequest {
            request_id: self.request_id(),
            user_id,
            challenge_id,
            authenticator_id,
            code,
            with_assertion: true,
            source: None,
        })
    }

    async fn race(&mut self, user: &str, times: u8) -> Held {
        let theirs = self.challenges.iter().enumerate().rev();
        let newest: Vec<_> = theirs
            .filter(|(_, known)| known.user == user)
            .map(|(place, _)| place)
            .take(2)
            .collect();
        let mut pairs = Vec::new();
        for (turn, place) in (0..usize::from(times)).zip(newest.iter().cycle()) {
            let request = self.answer(*place, CodeGiven::Present);
            self.asked.push(Asked::new(request));
            pairs.push((self.asked.len() - 1, turn % self.replicas.len()));
        }
        self.ask(pairs).await
    }

    /// Makes a new request at several places at once.
    async fn ask_at(&mut self, request: Request, at: &[u8]) -> Held {
        self.asked.push(Asked::new(request));
        self.ask(self.spread(self.asked.len() - 1, at)).await
    }

    fn spread(&self, place: usize, at: &[u8]) -> Vec<(usize, usize)> {
        at.iter().map(|at| (place, usize::from(*at) % self.replicas.len())).collect()
    }

    fn request_id(&self) -> String {
        format!("request-{}", self.asked.len())
    }

    /// Remembers what the first answer to a request tells.
    pub(crate) fn learn(&mut self, place: usize, answer: Answer) {
        let asked = &mut self.asked[place];
        match (&asked.request, &answer) {
            (_, Answer::Start(started)) => {
                if let Some((id, key_uri)) =
                    started.authenticator_id.as_ref().zip(started.key_uri.as_ref())
                {
                    self.phones.insert(id.clone(), Phone::scan(id, key_uri));
                }
            }
            (Request::Create(request), Answer::Create(created)) => {
                let challenge = created.challenge.clone().unwrap();
                self.challenges.push(Known { user: request.user_id.clone(), challenge });
            }
            _ => {}
        }
        asked.answer = Some(answer);
    }

    /// Names a call.
    pub(crate) fn new_call(&mut self) -> Uuid {
        self.numbers += 1;
        Uuid::from_u128(self.numbers.into())
    }
}

fn foundation(
    log: &Arc<FaultyLog>,
    keys: &LocalKeys,
    clock: &Arc<MovableClock>,
    seed: u64,
) -> Foundation {
    Foundation::new(FoundationParts {
        log: Arc::clone(log) as _,
        snapshots: Arc::new(NoSnapshots),
        vault: keys.vault(),
        clock: Arc::clone(clock) as _,
        rng: Arc::new(SeededRandom::new(seed)),
    })
}

fn nth_newest(length: usize, back: u8) -> Option<usize> {
    length.checked_sub(1).map(|last| last - usize::from(back) % length)
}
