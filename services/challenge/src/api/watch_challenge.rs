//! `WatchChallenge`: the challenge as it stands, then at each change, until it closes.

use std::{sync::Arc, time::Duration};

use countersign_core::ChallengeId;
use countersign_domain::user_challenges::ChallengeState;
use countersign_eventsourcing::{Filter, FollowStream};
use countersign_proto::challenge as wire;
use countersign_service::{
    ApiError, Foundation, Reason, Scope, User, caller::Touch, to_last_status,
};
use futures_util::{StreamExt as _, stream, stream::BoxStream};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{ChallengeApi, challenge_id, convert};

/// What is watched.
struct Watched {
    foundation: Arc<Foundation>,
    user: User,
    id: ChallengeId,
}

/// One client's watch.
struct Watch {
    watched: Watched,
    changes: FollowStream,
    last: Option<wire::Challenge>,
    stopping: CancellationToken,
    is_over: bool,
}

impl ChallengeApi {
    pub(super) async fn handle_watch(
        &self,
        scope: &Scope,
        message: wire::WatchChallengeRequest,
    ) -> Result<BoxStream<'static, Result<wire::WatchChallengeResponse, Status>>, ApiError> {
        let user = self.user(scope, &message.user_id, Touch::Read).await?;
        let id = challenge_id(&message.challenge_id)?;
        let stream = user.challenges();
        // Followed from the present on, before the state is read, so that no change falls in between.
        let head = self.foundation.log.head().await?;
        let filter = Filter { streams: vec![stream.clone()], ..Filter::default() };
        let changes = self.foundation.log.follow(&filter, head).await?;
        let challenges = self.foundation.challenges.load(&stream).await?;
        if challenges.state.find(id).is_none() {
            return Err(ApiError::new(Reason::ChallengeNotFound));
        }
        let watch = Watch {
            watched: Watched { foundation: Arc::clone(&self.foundation), user, id },
            changes,
            last: None,
            stopping: self.stopping.clone(),
            is_over: false,
        };
        Ok(stream::unfold(watch, next).boxed())
    }
}

/// Waits until the challenge stands otherwise than it was last shown.
async fn next(mut watch: Watch) -> Option<(Result<wire::WatchChallengeResponse, Status>, Watch)> {
    while !watch.is_over {
        let shown = match watch.watched.look().await {
            Ok(shown) => shown,
            Err(error) => {
                watch.is_over = true;
                return Some((Err(to_last_status(&error)), watch));
            }
        };
        if let Some((challenge, remaining)) = shown {
            if watch.last.as_ref() != Some(&challenge) {
                watch.is_over = remaining.is_none();
                watch.last = Some(challenge.clone());
                let response = wire::WatchChallengeResponse { challenge: Some(challenge) };
                return Some((Ok(response), watch));
            }
            let lapses = tokio::time::sleep(remaining.unwrap_or_default());
            tokio::select! {
                () = watch.stopping.cancelled() => return None,
                () = lapses => {}
                change = watch.changes.next() => {
                    if let Some(Err(error)) = change {
                        watch.is_over = true;
                        return Some((Err(to_last_status(&error.into())), watch));
                    }
                }
            }
        } else {
            return None;
        }
    }
    None
}

impl Watched {
    /// Returns the challenge as it stands, and how long it can still stand so; `None` once it is closed.
    async fn look(&self) -> Result<Option<(wire::Challenge, Option<Duration>)>, ApiError> {
        let challenges = self.foundation.challenges.load(&self.user.challenges()).await?;
        let now = self.foundation.now();
        Ok(challenges.state.find(self.id).map(|challenge| {
            let remaining = match challenge.state_at(now) {
                ChallengeState::Pending => Some(challenge.expires_at.since(now)),
                ChallengeState::Verified
                | ChallengeState::Exhausted
                | ChallengeState::Expired
                | ChallengeState::Canceled
                | ChallengeState::Superseded => None,
            };
            (convert::challenge(challenge, now), remaining)
        }))
    }
}
