//! A noisy tenant asks for more than the server does at once.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_proto::enrollment::StartEnrollmentRequest;
use countersign_service::limits::Limits;
use countersign_tests::{Caller, House, reason, retry_after};
use tokio::task::JoinSet;
use tonic::Status;

use crate::{number, soon};

/// How many calls the noisy tenant has under way; the server takes four.
const NOISE: usize = 64;

/// How many calls the quiet tenant makes, one after the other.
const QUIET: usize = 100;

async fn start(caller: &Caller, user: String) -> Result<(), Status> {
    let request =
        StartEnrollmentRequest { user_id: user, kind: "totp".to_owned(), ..Default::default() };
    caller.enrollment().start_enrollment(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_tenant_is_served_whole_while_a_noisy_one_asks_for_too_much() {
    let limits =
        Limits { max_in_flight: number(4), wait_milliseconds: 30_000, ..Limits::default() };
    let house = House::limited(limits).await;
    let (noisy, quiet) = (house.tenant("noisy").await, house.tenant("quiet").await);
    let is_over = Arc::<AtomicBool>::default();
    let mut noise = JoinSet::new();
    for number in 0..NOISE {
        let caller = noisy.platform.over(house.connect().await);
        let is_over = Arc::clone(&is_over);
        noise.spawn(async move {
            let (mut served, mut refused) = (0, 0);
            while !is_over.load(Ordering::Relaxed) {
                match start(&caller, format!("user-{number}-{served}")).await {
                    Ok(()) => served += 1,
                    Err(status) => {
                        assert_eq!(reason(&status), "OVERLOADED");
                        assert!(retry_after(&status).is_some());
                        refused += 1;
                    }
                }
            }
            (served, refused)
        });
    }
    for number in 0..QUIET {
        soon(start(&quiet.platform, format!("user-{number}"))).await.unwrap();
    }
    is_over.store(true, Ordering::Relaxed);
    let all = soon(noise.join_all()).await;
    let (served, refused) = all.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    assert!(served > 0 && refused > 0, "{served} served, {refused} refused");
    house.stop().await;
}
