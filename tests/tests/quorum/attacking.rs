//! What somebody with one stolen key of an administrator tries.

use countersign_proto::{
    admin::{
        GetTenantRequest, ListApiKeysRequest, RotateApiKeyRequest, SetMfaRequirementRequest,
        SetQuorumRequest,
    },
    common::MfaRequirement,
    enrollment::{
        PlaceUserRequest, Placement, RemoveAuthenticatorRequest, SuspendAuthenticatorRequest,
    },
};
use countersign_tests::{Caller, House};
use tonic::Status;

use crate::{
    Board, approve, asked, break_glass, only, quorum, refused, set_quorum, try_administrator,
};
use countersign_proto::admin::DangerousAct;

/// Everything that a thief could want, each under an approval.
async fn tries(thief: &Caller, authenticator_id: &str) -> Vec<Result<(), Status>> {
    let (user_id, authenticator_id) = ("ann".to_owned(), authenticator_id.to_owned());
    let never = SetMfaRequirementRequest {
        request_id: "never".to_owned(),
        mfa_requirement: MfaRequirement::Never.into(),
        ..Default::default()
    };
    let end = SetQuorumRequest { request_id: "end".to_owned(), quorum: None };
    let remove = RemoveAuthenticatorRequest {
        request_id: "remove".to_owned(),
        user_id: user_id.clone(),
        authenticator_id: authenticator_id.clone(),
        ..Default::default()
    };
    let suspend = SuspendAuthenticatorRequest {
        request_id: "suspend".to_owned(),
        user_id: user_id.clone(),
        authenticator_id,
        ..Default::default()
    };
    let placement = Some(Placement::default());
    let place = PlaceUserRequest { request_id: "place".to_owned(), user_id, placement };
    vec![
        break_glass(thief, "glass").await,
        thief.admin().set_mfa_requirement(never).await.map(drop),
        thief.admin().set_quorum(end).await.map(drop),
        thief.enrollment().remove_authenticator(remove).await.map(drop),
        thief.enrollment().suspend_authenticator(suspend).await.map(drop),
        thief.enrollment().place_user(place).await.map(drop),
        try_administrator(thief, "accomplice").await.map(drop),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stolen_key_loosens_breaks_and_ends_nothing() {
    let house = House::start().await;
    let board = Board::seat(house.tenant("acme").await, &house.channel()).await;
    let phone = board.tenant.enrol("ann").await;
    let place = PlaceUserRequest {
        user_id: "ann".to_owned(),
        placement: Some(Placement { privileged: true, ..Default::default() }),
        ..Default::default()
    };
    board.ada.enrollment().place_user(place).await.unwrap();
    set_quorum(&board.ada, quorum(1, 0)).await.unwrap();
    let before = board.ada.admin().get_tenant(GetTenantRequest {}).await.unwrap().into_inner();
    let thief = &board.ada;
    for tried in tries(thief, &phone.authenticator_id).await {
        let id = asked(tried);
        assert_eq!(refused(approve(thief, &id).await), "APPROVAL_OWN_REQUEST");
        for tried in tries(&thief.approved_by(&id), &phone.authenticator_id).await {
            let why = refused(tried);
            assert!(["APPROVAL_PENDING", "APPROVAL_MISMATCH"].contains(&why.as_str()), "{why}");
        }
    }
    // Nor with the secret of another administrator, which a thief may try to have made afresh.
    let keys = thief.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap().into_inner();
    for key in keys.api_keys.iter().filter(|key| ["bob", "cleo"].contains(&&*key.display_name)) {
        let request = RotateApiKeyRequest { key_id: key.key_id.clone(), ..Default::default() };
        asked(thief.admin().rotate_api_key(request).await);
    }
    let after = board.ada.admin().get_tenant(GetTenantRequest {}).await.unwrap().into_inner();
    assert_eq!(after, before);
    assert_eq!(board.count("ApprovalUsed").await, 0);
    assert_eq!(board.tenant.count("ann", "AuthenticatorRemoved").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_gets_round_by_keys_is_asked_even_if_the_quorum_does_not_say_so() {
    let house = House::start().await;
    let board = Board::with(&house, only(DangerousAct::BreakGlass, 1)).await;
    let id = asked(try_administrator(&board.ada, "accomplice").await);
    assert_eq!(board.look(&id).await.act(), DangerousAct::AddAdministrator);
    // Nor does the operator add one alone.
    asked(try_administrator(&house.operator().naming("acme"), "accomplice").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_removed_at_once_one_waits() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let phones = [board.tenant.enrol("ann").await, board.tenant.enrol("ann").await];
    let place = PlaceUserRequest {
        user_id: "ann".to_owned(),
        placement: Some(Placement { privileged: true, ..Default::default() }),
        ..Default::default()
    };
    board.ada.enrollment().place_user(place).await.unwrap();
    let removing = phones.map(|phone| {
        let request = RemoveAuthenticatorRequest {
            user_id: "ann".to_owned(),
            authenticator_id: phone.authenticator_id,
            ..Default::default()
        };
        let ada = board.ada.clone();
        tokio::spawn(async move { ada.enrollment().remove_authenticator(request).await })
    });
    let mut went = 0;
    for removed in removing {
        match removed.await.unwrap() {
            Ok(_) => went += 1,
            Err(status) => drop(asked::<()>(Err(status))),
        }
    }
    assert_eq!(went, 1);
}
