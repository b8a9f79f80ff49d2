//! What becomes of callers when their issuer changes its keys, or is away.

use std::time::Duration;

use countersign_tests::{reason, retry_after};
use serde_json::json;
use tonic::Code;

use crate::{
    probes::{is_nobody, knocks},
    tokens::Stage,
};

/// How long the server keeps keys: a minute, and five more while the issuer does not answer.
async fn stage() -> Stage {
    Stage::start(json!({"max_key_age_seconds": 60, "serve_stale_seconds": 300})).await
}

impl Stage {
    fn wait(&self, seconds: u64) {
        self.house.clock.advance(Duration::from_secs(seconds));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_known_at_once_and_a_retired_one_no_longer_than_keys_are_kept() {
    let mut stage = stage().await;
    let before = stage.token("checkout").await;
    knocks(&stage.holder(&before)).await.unwrap();
    stage.issuer.rotate().await;
    let after = stage.token("checkout").await;
    // Whoever shows a key that nobody knows cannot make the server ask more often than this.
    stage.wait(10);
    for token in [&after, &before] {
        knocks(&stage.holder(token)).await.unwrap();
    }
    stage.issuer.retire().await;
    stage.wait(60);
    is_nobody(&knocks(&stage.holder(&before)).await.unwrap_err());
    knocks(&stage.holder(&after)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_serve_while_their_issuer_is_away_then_nobody_is_let_in_until_it_is_back() {
    let mut stage = stage().await;
    let token = stage.token("checkout").await;
    knocks(&stage.holder(&token)).await.unwrap();
    stage.issuer.kill().await;
    for seconds in [50, 60, 200] {
        stage.wait(seconds);
        knocks(&stage.holder(&token)).await.unwrap();
    }
    stage.wait(60);
    let status = knocks(&stage.holder(&token)).await.unwrap_err();
    assert_eq!((status.code(), &*reason(&status)), (Code::Unavailable, "ISSUER_UNAVAILABLE"));
    let wait = retry_after(&status).unwrap();
    // Keys of others are not asked for.
    knocks(&stage.tenant.platform).await.unwrap();
    stage.issuer.restart().await;
    stage.wait(wait.as_secs());
    // The issuer is a new one, with keys of its own: it knows nothing of the old token.
    is_nobody(&knocks(&stage.holder(&token)).await.unwrap_err());
    let fresh = stage.issuer.access_token("checkout", crate::tokens::AUDIENCE).await;
    knocks(&stage.holder(&fresh)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_never_reached_vouches_for_nobody() {
    let mut stage = stage().await;
    let token = stage.token("checkout").await;
    stage.issuer.kill().await;
    let status = knocks(&stage.holder(&token)).await.unwrap_err();
    assert_eq!(reason(&status), "ISSUER_UNAVAILABLE");
    assert!(retry_after(&status).is_some());
}
