//! Every user of a tenant is erased, in one go or in several.

use std::sync::Arc;

use countersign::{World, serve::Installation};
use countersign_core::{TenantId, UserId};
use countersign_enrollment::{TenantErasure, erase_tenant};
use countersign_proto::policy::EvaluateSignInRequest;
use countersign_tests::House;
use tokio::sync::Notify;
use uuid::Uuid;

const ENROLLED: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn erasing_a_tenants_users_goes_on_where_it_was_interrupted_and_spares_the_others() {
    let house = House::single().await;
    let (acme, globex) = (house.tenant("acme").await, house.tenant("globex").await);
    for number in 0..ENROLLED {
        acme.enrol(&format!("user-{number}")).await;
    }
    globex.enrol("user-0").await;
    // Known by a sign-in alone.
    let sign_in = EvaluateSignInRequest { user_id: "visitor".to_owned(), ..Default::default() };
    acme.platform.policy().evaluate_sign_in(sign_in).await.unwrap();
    let directory = house.stop().await;

    let installation =
        Installation::open(&directory.path().join("data"), World::default()).await.unwrap();
    let foundation = &*installation.foundation;
    let tenant = |name| TenantId::parse(name).unwrap();
    let asked = TenantErasure {
        tenant: tenant("acme"),
        reason: "the contract ended".to_owned(),
        requester: "test".into(),
        correlation_id: Uuid::from_u128(7),
    };
    let third = Arc::new(Notify::new());
    let interrupted = erase_tenant(foundation, &asked, |done, of| {
        assert_eq!(of, ENROLLED as u64 + 1);
        if done == 3 {
            third.notify_one();
        }
    });
    tokio::select! {
        biased;
        () = third.notified() => {}
        ended = interrupted => panic!("it was not interrupted: {ended:?}"),
    }
    let mut told = Vec::new();
    let rest = erase_tenant(foundation, &asked, |done, of| told.push((done, of))).await.unwrap();
    let all = ENROLLED as u64 + 1;
    assert!((all - 4..=all - 3).contains(&rest), "{rest}");
    assert_eq!(told.last(), Some(&(rest, rest)));
    assert_eq!(erase_tenant(foundation, &asked, |_, _| {}).await.unwrap(), 0);

    let is_erased = async |tenant: TenantId, user: &str| {
        let user = foundation.user(&tenant, &UserId::parse(user).unwrap());
        let folded = foundation.authenticators.load(&user.authenticators()).await.unwrap();
        let named = foundation.vault.name(&user.tenant, user.key, "test", b"test").await;
        assert_eq!(folded.state.is_erased(), named.is_err());
        folded.state.is_erased()
    };
    for number in 0..ENROLLED {
        assert!(is_erased(tenant("acme"), &format!("user-{number}")).await);
    }
    assert!(is_erased(tenant("acme"), "visitor").await);
    assert!(!is_erased(tenant("globex"), "user-0").await);
    installation.close().await;
}
