//! Sealing every user's secrets anew, each user's under a fresh secrets key, and destroying the keys before.
//!
//! ```text
//! of some users at once:   next keys beside theirs  ->  SecretsResealed in each one's stream  ->  the keys before go
//! ```
//!
//! Whatever stops it between any two steps, whoever goes on finds in the user's stream and in the store of keys how far it has
//! come. Users sign in and enrol meanwhile: what was sealed under the key before is not accepted once the stream tells of the
//! next one.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use countersign_core::{Chain, TenantId, UserKey};
use countersign_crypto::Sealed;
use countersign_domain::user_authenticators::{
    Command, Rejection, ResealSecrets, State, UserAuthenticators,
};
use countersign_eventsourcing::{
    Decider as _, EventLog, ExecuteError, Executed, Filter, Folded, Metadata, ReadError, Request,
};
use countersign_keys::{SecretsKey, VaultError};
use countersign_service::{ApiError, Foundation, LostSecretsKey, Reason, User, seals};
use futures_util::{StreamExt as _, stream};
use uuid::Uuid;

use super::{history::read_on, seal_secret::secrets_key};
use crate::api::status::rejected;

/// Names the commands by which secrets are sealed anew (RFC 9562 section 5.5); never changes, or repeats would not be found.
const RESEALING: Uuid = Uuid::from_u128(0x3c0e_95d1_7b42_4a6f_8e13_c25d_90f7_1ab8);

/// Of how many users keys are exchanged at once: in a file they share three syncs a step.
const BATCH: usize = 64;

/// How many users' secrets are on their way into the log at once.
const ON_THE_WAY: usize = 16;

/// How often a user is looked at again who enrolled just then.
const PASSES: usize = 8;

/// Which rotation it is, and who asked for it.
pub(crate) struct RotateSecrets {
    pub(crate) rotation: u32,
    pub(crate) requester: Arc<str>,
    pub(crate) correlation_id: Uuid,
}

/// A rotation, and how far it has come.
pub(crate) struct Rotating<'a> {
    foundation: &'a Foundation,
    asked: RotateSecrets,
    /// Who is left in this pass, and who must be looked at again in the next.
    waiting: Vec<User>,
    again: Vec<User>,
    passes: usize,
    pub(crate) users_done: u64,
    pub(crate) users_total: u64,
    /// How many users are under a key of this rotation, and how many secrets they have.
    pub(crate) users: u64,
    pub(crate) secrets: u64,
}

/// How a user fared.
enum Fared {
    /// The secrets are under this key, and there are so many.
    Done(SecretsKey, u64),
    /// Others changed the user meanwhile.
    Again,
    /// The user was erased, or cannot be read: whoever looks after the installation was told.
    Passed,
}

impl RotateSecrets {
    /// Finds out whose secrets there are. Nothing is changed yet.
    pub(crate) async fn begin(self, foundation: &Foundation) -> Result<Rotating<'_>, ApiError> {
        let waiting = users(&*foundation.log).await?;
        Ok(Rotating {
            foundation,
            asked: self,
            users_total: waiting.len() as u64,
            waiting,
            again: vec![],
            passes: 1,
            users_done: 0,
            users: 0,
            secrets: 0,
        })
    }
}

impl Rotating<'_> {
    /// Seals the secrets of the next users anew, and returns whether anybody is left.
    pub(crate) async fn step(&mut self) -> Result<bool, ApiError> {
        let from = self.waiting.len().saturating_sub(BATCH);
        let users = self.waiting.split_off(from);
        let (count, before) = (users.len(), self.again.len());
        self.rotate(users).await?;
        self.users_done += (count + before - self.again.len()) as u64;
        if self.waiting.is_empty() && !self.again.is_empty() {
            self.passes += 1;
            if self.passes > PASSES {
                return Err(ApiError::new(Reason::Contended));
            }
            self.waiting = std::mem::take(&mut self.again);
        }
        Ok(!self.waiting.is_empty())
    }

    async fn rotate(&mut self, users: Vec<User>) -> Result<(), ApiError> {
        let (mut due, mut keys, mut ended) = (Vec::new(), Vec::new(), Vec::new());
        let known = stream::iter(users).map(|user| self.load(user)).buffered(ON_THE_WAY);
        for (user, known) in known.collect::<Vec<_>>().await {
            let known = match known {
                Ok(known) => known,
                Err(error @ ReadError::Unavailable(_)) => return Err(error.into()),
                Err(error @ ReadError::Corrupt(_)) => {
                    pass(&user, &error);
                    continue;
                }
            };
            if known.state.is_erased() {
                continue;
            }
            let key = secrets_key(&user, &known.state);
            if known.state.secrets_rotation() >= self.asked.rotation {
                self.note(known.state.records().count() as u64);
                ended.push(key);
            } else {
                keys.push(key);
                due.push((user, known));
            }
        }
        let begun = self.foundation.vault.begin_exchange(keys).await?;
        let resealed = stream::iter(due.into_iter().zip(begun))
            .map(|((user, known), begun)| self.reseal_begun(user, known, begun))
            .buffer_unordered(ON_THE_WAY);
        for (user, fared) in resealed.collect::<Vec<_>>().await {
            match fared? {
                Fared::Done(key, secrets) => {
                    self.note(secrets);
                    ended.push(key);
                }
                Fared::Again => self.again.push(user),
                Fared::Passed => {}
            }
        }
        let outcomes = self.foundation.vault.end_exchange(ended.clone()).await?;
        for (SecretsKey { tenant, user, .. }, outcome) in ended.into_iter().zip(outcomes) {
            if let Err(error) = outcome {
                faring(&User { tenant, key: user }, error)?;
            }
        }
        Ok(())
    }

    const fn note(&mut self, secrets: u64) {
        self.users += 1;
        self.secrets += secrets;
    }

    async fn load(&self, user: User) -> (User, Result<Arc<Folded<State>>, ReadError>) {
        let known = self.foundation.authenticators.load(&user.authenticators()).await;
        (user, known)
    }

    async fn reseal_begun(
        &self,
        user: User,
        known: Arc<Folded<State>>,
        begun: Result<(), VaultError>,
    ) -> (User, Result<Fared, ApiError>) {
        let fared = match begun {
            Ok(()) => self.reseal(&user, &known).await,
            Err(VaultError::Superseded) => self.superseded(&user, &known).await,
            Err(error) => faring(&user, error),
        };
        (user, fared)
    }

    /// Tells a key that others exchanged meanwhile from one that is lost.
    async fn superseded(&self, user: &User, known: &Folded<State>) -> Result<Fared, ApiError> {
        let now = self.foundation.authenticators.load(&user.authenticators()).await?;
        let generation = known.state.secrets_generation();
        if now.state.secrets_generation() == generation {
            pass(user, &LostSecretsKey { generation });
            return Ok(Fared::Passed);
        }
        Ok(Fared::Again)
    }

    /// Seals a user's secrets under the next key, which is there by now.
    async fn reseal(&self, user: &User, known: &Folded<State>) -> Result<Fared, ApiError> {
        let former = secrets_key(user, &known.state);
        let next = SecretsKey { generation: former.generation.saturating_add(1), ..former };
        let mut records = Vec::new();
        for (id, record) in known.state.records() {
            match anew(self.foundation, user, &next, record).await {
                Ok(record) => records.push((id, record)),
                Err(error) => return faring(user, error),
            }
        }
        let now = self.foundation.now();
        let command = ResealSecrets { rotation: self.asked.rotation, records, now };
        let (request, command) = (self.request(user), Command::ResealSecrets(command));
        let (stream, seen) = (user.authenticators(), known.next_revision);
        let executor = &self.foundation.authenticators;
        match executor.execute_seen(&stream, &request, command, seen).await {
            Ok(Executed { folded, .. }) => {
                let key = secrets_key(user, &folded.state);
                Ok(Fared::Done(key, folded.state.records().count() as u64))
            }
            Err(ExecuteError::Rejected(Rejection::SecretsSuperseded) | ExecuteError::Contended) => {
                Ok(Fared::Again)
            }
            Err(ExecuteError::Rejected(Rejection::Erased)) => Ok(Fared::Passed),
            Err(error) => Err(ApiError::from_execute(error, rejected)),
        }
    }

    /// Makes the request: the same from every replica, so that it is carried out once.
    fn request(&self, user: &User) -> Request {
        let name = format!("{}\0{}", user.authenticators(), self.asked.rotation);
        let command_id = Uuid::new_v5(&RESEALING, name.as_bytes());
        Request {
            command_id,
            metadata: Metadata {
                recorded_at: self.foundation.now(),
                correlation_id: self.asked.correlation_id,
                causation_id: command_id,
                requester: Arc::clone(&self.asked.requester),
                traceparent: "".into(),
                request_digest: 0,
            },
        }
    }
}

async fn anew(
    foundation: &Foundation,
    user: &User,
    next: &SecretsKey,
    sealed: &Sealed,
) -> Result<Sealed, VaultError> {
    let (vault, User { tenant, key }) = (&foundation.vault, user);
    let record = vault.unseal_secret(tenant, *key, seals::RECORD, sealed).await?;
    vault.seal_secret(next, seals::RECORD, record.expose()).await
}

/// Says how a user fared for whom the keys say no.
fn faring(user: &User, error: VaultError) -> Result<Fared, ApiError> {
    match error {
        VaultError::Superseded => Ok(Fared::Again),
        VaultError::Erased => Ok(Fared::Passed),
        VaultError::Unavailable(_) => Err(error.into()),
        VaultError::Damaged(_) => {
            pass(user, &error);
            Ok(Fared::Passed)
        }
    }
}

/// One user who cannot be read must not keep the others.
fn pass(user: &User, error: &(dyn std::error::Error + 'static)) {
    let (stream, error) = (user.authenticators(), Chain(error));
    tracing::error!(%stream, %error, "a user's secrets cannot be sealed anew; they stay as they are");
}

/// Returns everybody who has authenticators, or had.
async fn users(log: &dyn EventLog) -> Result<Vec<User>, ReadError> {
    let mut found: HashMap<TenantId, HashSet<UserKey>> = HashMap::new();
    let filter = Filter::category(UserAuthenticators::CATEGORY);
    read_on(log, &filter, &mut None, |event| {
        if let Ok(User { tenant, key }) = User::of(&event.stream) {
            found.entry(tenant).or_default().insert(key);
        }
    })
    .await?;
    let of = |(tenant, keys): (TenantId, HashSet<UserKey>)| {
        keys.into_iter().map(move |key| User { tenant: tenant.clone(), key })
    };
    Ok(found.into_iter().flat_map(of).collect())
}
