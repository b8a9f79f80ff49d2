//! What use cases stand on: the log through its deciders, the vault, time and randomness.

use std::{fmt, sync::Arc};

use countersign_core::{
    ApprovalId, Clock, FieldProblem, Rng, TenantId, Timestamp, UserId, UserKey, new_uuid_v7,
};
use countersign_domain::{
    approval::Approval,
    delivery::Delivery,
    keyring::Keyring,
    tenant::Tenant,
    user_authenticators::{self, UserAuthenticators},
    user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};
use countersign_eventsourcing::{
    Decider, EventLog, Executor, Folded, ReadError, SnapshotStore, StreamId,
};
use countersign_keys::UserVault;
use uuid::Uuid;

use crate::{ApiError, Reason, deadline};

/// How many folds of each kind are kept in memory; some 1 KiB each.
const CACHED_USERS: usize = 40_000;
const CACHED_TENANTS: usize = 1_000;

/// What a foundation is made of.
pub struct FoundationParts {
    /// The event log.
    pub log: Arc<dyn EventLog>,
    /// The cache of folds.
    pub snapshots: Arc<dyn SnapshotStore>,
    /// Sealing and erasing.
    pub vault: UserVault,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
}

/// What use cases stand on.
pub struct Foundation {
    /// The event log, for followers.
    pub log: Arc<dyn EventLog>,
    /// Sealing and erasing.
    pub vault: UserVault,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub rng: Arc<dyn Rng>,
    /// Tenants' settings.
    pub tenants: Executor<Tenant>,
    /// Users' authenticators.
    pub authenticators: Executor<UserAuthenticators>,
    /// Users' challenges.
    pub challenges: Executor<UserChallenges>,
    /// Users' sign-ins.
    pub sign_ins: Executor<UserSignIns>,
    /// Deliveries.
    pub deliveries: Executor<Delivery>,
    /// Requests for approval.
    pub approvals: Executor<Approval>,
    /// The installation's own keys.
    pub keyrings: Executor<Keyring>,
}

impl fmt::Debug for Foundation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foundation").finish_non_exhaustive()
    }
}

impl fmt::Debug for FoundationParts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FoundationParts").finish_non_exhaustive()
    }
}

impl Foundation {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: FoundationParts) -> Self {
        let FoundationParts { log, snapshots, vault, clock, rng } = parts;
        fn executor<D: countersign_eventsourcing::EventCodec>(
            log: &Arc<dyn EventLog>,
            snapshots: &Arc<dyn SnapshotStore>,
            cached: usize,
        ) -> Executor<D> {
            Executor::new(Arc::clone(log), Arc::clone(snapshots), cached)
                .giving_up(Arc::new(|| Box::pin(deadline::time_to_give_up())))
        }
        Self {
            tenants: executor(&log, &snapshots, CACHED_TENANTS),
            authenticators: executor(&log, &snapshots, CACHED_USERS),
            challenges: executor(&log, &snapshots, CACHED_USERS),
            sign_ins: executor(&log, &snapshots, CACHED_TENANTS),
            deliveries: executor(&log, &snapshots, CACHED_TENANTS),
            approvals: executor(&log, &snapshots, CACHED_TENANTS),
            keyrings: executor(&log, &snapshots, CACHED_TENANTS),
            log,
            vault,
            clock,
            rng,
        }
    }

    /// Returns the present instant.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns a fresh id.
    #[must_use]
    pub fn new_id(&self) -> Uuid {
        new_uuid_v7(self.clock.now(), &*self.rng)
    }

    /// Names a user of `tenant` for streams and seals.
    #[must_use]
    pub fn user(&self, tenant: &TenantId, user_id: &UserId) -> User {
        User { tenant: tenant.clone(), key: self.vault.user_key(tenant, user_id) }
    }

    /// Returns a tenant's settings.
    ///
    /// # Errors
    /// Says that the log cannot be read.
    pub async fn tenant(
        &self,
        tenant: &TenantId,
    ) -> Result<Arc<Folded<countersign_domain::tenant::State>>, ReadError> {
        self.tenants.load(&tenant_stream(tenant)).await
    }

    /// Returns the settings of a tenant that must be there.
    ///
    /// # Errors
    /// Says that there is no such tenant or that the log cannot be read.
    pub async fn existing_tenant(
        &self,
        tenant: &TenantId,
    ) -> Result<Arc<Folded<countersign_domain::tenant::State>>, ApiError> {
        let settings = self.tenant(tenant).await?;
        if settings.state.exists() {
            Ok(settings)
        } else {
            Err(ApiError::new(Reason::TenantNotFound))
        }
    }

    /// Makes sure that a user was not erased, for commands on streams that do not tell.
    ///
    /// # Errors
    /// Says that the user was erased or that the log cannot be read.
    pub async fn not_erased(&self, user: &User) -> Result<(), ApiError> {
        let authenticators = self.authenticators.load(&user.authenticators()).await?;
        user_not_erased(&authenticators.state)
    }
}

/// Makes sure that the user whose authenticators these are was not erased.
///
/// # Errors
/// Says that the user was.
pub fn user_not_erased(authenticators: &user_authenticators::State) -> Result<(), ApiError> {
    if authenticators.is_erased() { Err(ApiError::new(Reason::UserErased)) } else { Ok(()) }
}

/// Names a tenant's stream.
#[must_use]
pub fn tenant_stream(tenant: &TenantId) -> StreamId {
    stream::<Tenant>(tenant, Tenant::STREAM_KEY)
}

/// Names the stream of the installation's own keys.
#[must_use]
pub fn keyring_stream() -> StreamId {
    stream::<Keyring>(&TenantId::platform(), Keyring::STREAM_KEY)
}

/// Names the stream of a request for approval.
#[must_use]
pub fn approval_stream(tenant: &TenantId, id: ApprovalId) -> StreamId {
    stream::<Approval>(tenant, &id.to_string())
}

/// Names a stream of `D`; category and key are ours, so the name is always right.
#[expect(
    clippy::expect_used,
    reason = "the categories are constants and the keys are hashes or ids"
)]
pub(crate) fn stream<D: Decider>(tenant: &TenantId, key: &str) -> StreamId {
    StreamId::new(D::CATEGORY, tenant, key).expect("categories and keys are plain")
}

/// A user, as streams and seals know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The tenant.
    pub tenant: TenantId,
    /// The keyed hash of the platform's own id.
    pub key: UserKey,
}

impl User {
    /// Returns whose stream `stream` is: one of authenticators, challenges or sign-ins.
    ///
    /// # Errors
    /// Says that no user's stream is called so.
    pub fn of(stream: &StreamId) -> Result<Self, FieldProblem> {
        Ok(Self { tenant: TenantId::parse(stream.tenant())?, key: stream.key().parse()? })
    }

    /// Names the stream of the user's authenticators.
    #[must_use]
    pub fn authenticators(&self) -> StreamId {
        stream::<UserAuthenticators>(&self.tenant, &self.key.to_string())
    }

    /// Names the stream of the user's challenges.
    #[must_use]
    pub fn challenges(&self) -> StreamId {
        stream::<UserChallenges>(&self.tenant, &self.key.to_string())
    }

    /// Names the stream of the user's sign-ins.
    #[must_use]
    pub fn sign_ins(&self) -> StreamId {
        stream::<UserSignIns>(&self.tenant, &self.key.to_string())
    }
}
