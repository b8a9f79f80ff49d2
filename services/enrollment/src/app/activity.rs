//! When each user last did something, read from the log when it is asked for.
//!
//! Nothing of it is kept where no tenant asks for it. Where one does, a user takes some 50 bytes, and each look reads only
//! what came since the last.

use std::collections::{HashMap, hash_map::Entry};

use countersign_core::{TenantId, Timestamp, UserKey};
use countersign_domain::{
    user_authenticators::UserAuthenticators, user_challenges::UserChallenges,
    user_sign_ins::UserSignIns,
};
use countersign_eventsourcing::{
    Decider as _, EventLog, Filter, Position, ReadError, RecordedEvent, Revision,
};
use countersign_service::User;
use futures_util::TryStreamExt as _;

use super::history::read_on;

/// After this event a user has nothing left.
const ERASED: &str = "UserErased";

/// This is done for everybody at once, and says nothing of anybody.
const RESEALED: &str = "SecretsResealed";

/// When each user last did something, or something was done for them.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    /// `None` for a user who was erased: what was under way then may still come, and is of nobody.
    tenants: HashMap<TenantId, HashMap<UserKey, Option<Timestamp>>>,
    after: Option<Position>,
    /// Only users of this tenant; of all if there is none.
    of: Option<TenantId>,
}

impl Activity {
    /// Knows the users of one tenant alone, once it has caught up.
    pub(crate) fn of(tenant: &TenantId) -> Self {
        Self { of: Some(tenant.clone()), ..Self::default() }
    }

    /// Reads what the log holds since the last time. What cannot be read is passed over: whoever acts on a user looks at
    /// the user's own streams first.
    pub(crate) async fn catch_up(&mut self, log: &dyn EventLog) -> Result<(), ReadError> {
        let filter = Filter { tenant: self.of.clone(), ..users() };
        let mut after = self.after;
        let read = read_on(log, &filter, &mut after, |event| self.take_in(event)).await;
        self.after = after;
        read
    }

    fn take_in(&mut self, recorded: &RecordedEvent) {
        let Ok(user) = User::of(&recorded.stream) else { return };
        if recorded.event.event_type == ERASED {
            self.forget(&user);
            return;
        }
        if recorded.event.event_type == RESEALED {
            return;
        }
        let at = recorded.event.metadata.recorded_at;
        match self.tenants.entry(user.tenant).or_default().entry(user.key) {
            Entry::Occupied(mut known) => {
                if let Some(last) = known.get_mut() {
                    // Clocks jump: what was the latest stays the latest.
                    *last = at.max(*last);
                }
            }
            Entry::Vacant(unknown) => {
                unknown.insert(Some(at));
            }
        }
    }

    /// Forgets a user who was erased.
    pub(crate) fn forget(&mut self, user: &User) {
        self.tenants.entry(user.tenant.clone()).or_default().insert(user.key, None);
    }

    /// Returns the users of `tenant` of whom nothing was heard for as long as `is_long` says.
    pub(crate) fn silent(
        &self,
        tenant: &TenantId,
        is_long: impl Fn(Timestamp) -> bool,
    ) -> Vec<User> {
        let users = self.tenants.get(tenant).into_iter().flatten();
        let silent = users.filter(|(_, last)| last.is_some_and(&is_long));
        silent.map(|(key, _)| User { tenant: tenant.clone(), key: *key }).collect()
    }
}

/// Wants every event that is about a user.
fn users() -> Filter {
    let categories =
        [UserAuthenticators::CATEGORY, UserChallenges::CATEGORY, UserSignIns::CATEGORY];
    Filter { categories: categories.map(str::to_owned).into(), ..Filter::default() }
}

/// Returns when the streams of `user` were last added to, as they themselves say.
pub(crate) async fn last_heard_of(
    log: &dyn EventLog,
    user: &User,
) -> Result<Option<Timestamp>, ReadError> {
    let mut last = None;
    for stream in [user.authenticators(), user.challenges(), user.sign_ins()] {
        let mut events = log.read(&stream, Revision::START).await?;
        while let Some(recorded) = events.try_next().await? {
            if recorded.event.event_type == RESEALED {
                continue;
            }
            last = last.max(Some(recorded.event.metadata.recorded_at));
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use countersign_eventsourcing::{Metadata, NewEvent};
    use uuid::Uuid;

    use super::*;

    fn acme() -> TenantId {
        TenantId::parse("acme").unwrap()
    }

    fn user(n: u8) -> User {
        User { tenant: acme(), key: UserKey::new([n; 16]) }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn event(event_type: &'static str, user: &User, seconds: i64) -> RecordedEvent {
        let id = Uuid::from_u128(1);
        let metadata = Metadata {
            recorded_at: at(seconds),
            correlation_id: id,
            causation_id: id,
            requester: "test".into(),
            traceparent: "".into(),
            request_digest: 0,
        };
        RecordedEvent {
            stream: user.sign_ins(),
            revision: Revision::START,
            position: Position(1),
            event: NewEvent {
                id,
                event_type: event_type.into(),
                schema_version: 1,
                payload: Default::default(),
                metadata,
            },
        }
    }

    /// Returns who was not heard of since `seconds`.
    fn silent_since(activity: &Activity, seconds: i64) -> Vec<User> {
        let mut silent = activity.silent(&acme(), |last| last < at(seconds));
        silent.sort_by_key(|user| user.key.to_string());
        silent
    }

    #[test]
    fn a_user_is_as_silent_as_their_latest_event_whatever_clocks_do() {
        let mut activity = Activity::default();
        for (n, seconds) in [(1, 10), (2, 30), (2, 5), (3, 20)] {
            activity.take_in(&event("SignInEvaluated", &user(n), seconds));
        }
        assert_eq!(silent_since(&activity, 21), [user(1), user(3)]);
        assert_eq!(silent_since(&activity, 31).len(), 3);
        let other = TenantId::parse("globex").unwrap();
        assert_eq!(activity.silent(&other, |_| true), []);
    }

    #[test]
    fn secrets_that_are_sealed_anew_are_no_sign_of_life() {
        let mut activity = Activity::default();
        activity.take_in(&event("EnrollmentStarted", &user(1), 10));
        activity.take_in(&event("SecretsResealed", &user(1), 90));
        assert_eq!(silent_since(&activity, 11), [user(1)]);
    }

    #[test]
    fn what_comes_after_an_erasure_brings_nobody_back() {
        let mut activity = Activity::default();
        activity.take_in(&event("SignInEvaluated", &user(1), 10));
        activity.take_in(&event("UserErased", &user(1), 11));
        // Of a user of whom nothing else was known, too.
        activity.take_in(&event("UserErased", &user(2), 11));
        for n in [1, 2] {
            activity.take_in(&event("SignInEvaluated", &user(n), 12));
        }
        assert_eq!(silent_since(&activity, 100), []);
    }
}
