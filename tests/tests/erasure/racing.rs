//! Erasing while others are at it.

use countersign_proto::enrollment::{ListAuthenticatorsRequest, StartEnrollmentRequest};
use countersign_tests::{House, reason};
use tokio::task::JoinSet;

use crate::{erase, try_erase};

/// Users, each of whom is enrolled and erased at once.
const USERS: usize = 12;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_enrols_while_the_user_is_erased_is_left_with_nothing() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    for number in 0..USERS {
        let user = format!("user-{number}");
        let mut all = JoinSet::new();
        for _ in 0..4 {
            let (tenant, user_id) = (tenant.clone(), user.clone());
            all.spawn(async move {
                let kind = "totp".to_owned();
                let request = StartEnrollmentRequest { user_id, kind, ..Default::default() };
                match tenant.platform.enrollment().start_enrollment(request).await {
                    Ok(_) => {}
                    Err(refused) => assert_eq!(reason(&refused), "USER_ERASED"),
                }
            });
        }
        for _ in 0..2 {
            let (tenant, user) = (tenant.clone(), user.clone());
            all.spawn(async move {
                erase(&tenant, &user).await;
            });
        }
        while let Some(ended) = all.join_next().await {
            ended.unwrap();
        }
        assert_eq!(tenant.history(&user).await.last().unwrap(), "UserErased");
        assert_eq!(tenant.count(&user, "UserErased").await, 1);
        let request = ListAuthenticatorsRequest { user_id: user.clone(), ..Default::default() };
        let left = tenant.platform.enrollment().list_authenticators(request).await.unwrap();
        assert_eq!(left.into_inner().authenticators, []);
        try_erase(&tenant, &user, "", "").await.unwrap();
    }
}
