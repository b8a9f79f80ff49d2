//! How long a pass may last.

use countersign_proto::{
    admin::{FactorSettings, SetFactorSettingsRequest},
    enrollment::IssueTemporaryAccessPassRequest,
};
use countersign_tests::{House, Tenant, reason};

use super::{KIND, asked, seconds, try_issue};

/// Returns how long a pass lasts of which `lifetime` was asked, or why there is none.
async fn lasts(tenant: &Tenant, lifetime: Option<i64>) -> Result<i64, String> {
    let request =
        IssueTemporaryAccessPassRequest { lifetime: lifetime.and_then(seconds), ..asked("ann") };
    match try_issue(&tenant.admin, request).await {
        Ok(issued) => Ok(issued.ends_at.unwrap().seconds - issued.starts_at.unwrap().seconds),
        Err(status) => {
            assert_eq!(reason(&status), "FIELD_INVALID");
            Err(status.message().to_owned())
        }
    }
}

fn longest(longest: i64) -> FactorSettings {
    let longest_access_pass = seconds(longest);
    FactorSettings { kind: KIND.to_owned(), longest_access_pass, ..Default::default() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_lasts_an_hour_or_what_is_asked_within_what_the_tenant_allows() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    assert_eq!(lasts(&tenant, None).await, Ok(3_600));
    assert_eq!(lasts(&tenant, Some(600)).await, Ok(600));
    assert_eq!(lasts(&tenant, Some(28_800)).await, Ok(28_800));
    for unfit in [599, 28_801] {
        let said = lasts(&tenant, Some(unfit)).await.unwrap_err();
        assert!(said.contains("lifetime") && said.contains("480 minutes"), "{said}");
    }
    tenant.set_factor(longest(1_800)).await;
    assert_eq!(lasts(&tenant, None).await, Ok(1_800));
    assert!(lasts(&tenant, Some(1_801)).await.unwrap_err().contains("30 minutes"));
    tenant.set_factor(longest(86_400)).await;
    assert_eq!(lasts(&tenant, None).await, Ok(3_600));
    assert_eq!(lasts(&tenant, Some(86_400)).await, Ok(86_400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_sets_a_longest_within_bounds_and_is_shown_it() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    for unfit in [0, 599, 30 * 86_400 + 1] {
        let settings = Some(longest(unfit));
        let request = SetFactorSettingsRequest { settings, ..Default::default() };
        let refused = tenant.admin.admin().set_factor_settings(request).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID", "{unfit}");
    }
    let settings = Some(longest(7_200));
    let request = SetFactorSettingsRequest { settings, ..Default::default() };
    let set = tenant.admin.admin().set_factor_settings(request).await.unwrap().into_inner();
    let shown = set.tenant.unwrap().factor_settings;
    let shown: Vec<_> =
        shown.iter().map(|one| (one.kind.as_str(), one.longest_access_pass)).collect();
    assert_eq!(shown, [(KIND, seconds(7_200))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_starts_in_the_next_thirty_days() {
    let house = House::start().await;
    let tenant = house.tenant("acme").await;
    let now = house.now().unix_seconds();
    for unfit in [0, now - 1, now + 30 * 86_400 + 1, i64::MAX] {
        let starts_at = Some(prost_types::Timestamp { seconds: unfit, nanos: 0 });
        let request = IssueTemporaryAccessPassRequest { starts_at, ..asked("ann") };
        let refused = try_issue(&tenant.admin, request).await.unwrap_err();
        assert_eq!(reason(&refused), "FIELD_INVALID", "{unfit}");
        assert!(refused.message().contains("starts_at"), "{refused}");
    }
}
