//! Who sends too much is told so, and nobody else notices.

use countersign_proto::enrollment::ListAuthenticatorsRequest;
use countersign_service::limits::Limits;
use countersign_tests::{Caller, House, reason, retry_after};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use crate::slow;

async fn ask(caller: &Caller, forwarded_for: Option<&str>) -> Result<(), Status> {
    let mut request =
        Request::new(ListAuthenticatorsRequest { user_id: "ann".to_owned(), ..Default::default() });
    if let Some(source) = forwarded_for {
        request.metadata_mut().insert("x-forwarded-for", source.parse().unwrap());
    }
    caller.enrollment().list_authenticators(request).await.map(drop)
}

/// Asks until it is refused for the rate. Returns how many went before, and which limit it was.
async fn until_refused(caller: &Caller) -> (usize, String) {
    for through in 0..1_000 {
        let Err(status) = ask(caller, None).await else { continue };
        if reason(&status) == "RATE_LIMITED" {
            assert_eq!(status.code(), Code::ResourceExhausted);
            assert!(retry_after(&status).is_some(), "it is told when to ask again");
            let told = status.get_details_error_info().unwrap();
            return (through, told.metadata["limit"].clone());
        }
    }
    panic!("it is never refused")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_over_its_rate_is_refused_and_another_of_the_same_tenant_is_not() {
    let house = House::limited(Limits { caller: slow(20), ..Limits::default() }).await;
    let tenant = house.tenant("acme").await;
    assert_eq!(until_refused(&tenant.platform).await, (20, "caller".to_owned()));
    ask(&tenant.admin, None).await.unwrap();
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_over_its_rate_is_refused_and_another_is_not() {
    let house = House::limited(Limits { tenant: slow(20), ..Limits::default() }).await;
    let (noisy, quiet) = (house.tenant("noisy").await, house.tenant("quiet").await);
    let (_, limit) = until_refused(&noisy.platform).await;
    assert_eq!(limit, "tenant");
    assert_eq!(reason(&ask(&noisy.admin, None).await.unwrap_err()), "RATE_LIMITED");
    ask(&quiet.platform, None).await.unwrap();
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_keys_is_refused_before_keys_are_looked_at_and_others_behind_the_proxy_are_not()
{
    let limits = Limits {
        source: slow(40),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..Limits::default()
    };
    let house = House::limited(limits).await;
    let tenant = house.tenant("acme").await;
    let guessing = Caller::new(house.channel(), "csk_acme_guess");
    let guess = Some("198.51.100.7");
    for _ in 0..40 {
        let refused = ask(&guessing, guess).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
    }
    let refused = ask(&guessing, guess).await.unwrap_err();
    assert_eq!(reason(&refused), "RATE_LIMITED");
    assert_eq!(refused.get_details_error_info().unwrap().metadata["limit"], "source");
    // A right key does not help from there: keys are not looked at. Nor does another word of the same client.
    for from in ["198.51.100.7", "203.0.113.9, 198.51.100.7"] {
        let refused = ask(&tenant.platform, Some(from)).await.unwrap_err();
        assert_eq!(reason(&refused), "RATE_LIMITED", "{from}");
    }
    ask(&tenant.platform, Some("198.51.100.8")).await.unwrap();
    house.stop().await;
}
