//! Each dangerous act from the refusal to the deed.

use countersign_proto::{
    admin::{
        ApprovalState, CreateApplicationRequest, FactorSettings, GetTenantRequest,
        ListApiKeysRequest, RotateApiKeyRequest, SetFactorSettingsRequest,
        SetMfaRequirementRequest, SetRetentionRequest, Tenant as Settings,
    },
    common::MfaRequirement,
    enrollment::{
        GetUserRequest, PlaceUserRequest, Placement, RemoveAuthenticatorRequest,
        SuspendAuthenticatorRequest,
    },
};
use countersign_tests::{Caller, House, Phone};
use tonic::Status;

use crate::{Board, approve, asked, only, quorum, refused, set_quorum, try_administrator};
use countersign_proto::admin::{DangerousAct, Quorum};

async fn place(by: &Caller, privileged: bool) -> Result<(), Status> {
    let request = PlaceUserRequest {
        request_id: format!("place-{privileged}"),
        user_id: "ann".to_owned(),
        placement: Some(Placement { privileged, ..Default::default() }),
    };
    by.enrollment().place_user(request).await.map(drop)
}

async fn remove(by: &Caller, phone: &Phone) -> Result<(), Status> {
    let request = RemoveAuthenticatorRequest {
        request_id: format!("remove-{}", phone.authenticator_id),
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        reason: "lost".to_owned(),
    };
    by.enrollment().remove_authenticator(request).await.map(drop)
}

async fn suspend(by: &Caller, phone: &Phone) -> Result<(), Status> {
    let request = SuspendAuthenticatorRequest {
        request_id: "suspend".to_owned(),
        user_id: "ann".to_owned(),
        authenticator_id: phone.authenticator_id.clone(),
        reason: "lost".to_owned(),
    };
    by.enrollment().suspend_authenticator(request).await.map(drop)
}

async fn require(
    by: &Caller,
    application: &str,
    requirement: MfaRequirement,
) -> Result<(), Status> {
    let request = SetMfaRequirementRequest {
        request_id: format!("require-{application}-{}", requirement.as_str_name()),
        application_id: application.to_owned(),
        mfa_requirement: requirement.into(),
    };
    by.admin().set_mfa_requirement(request).await.map(drop)
}

async fn settings(board: &Board) -> Settings {
    let got = board.ada.admin().get_tenant(GetTenantRequest {}).await;
    got.unwrap().into_inner().tenant.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_nothing_waits() {
    let house = House::start().await;
    let board = Board::seat(house.tenant("acme").await, &house.channel()).await;
    let phone = board.tenant.enrol("ann").await;
    place(&board.ada, true).await.unwrap();
    remove(&board.ada, &phone).await.unwrap();
    place(&board.ada, false).await.unwrap();
    require(&board.ada, "", MfaRequirement::Never).await.unwrap();
    crate::break_glass(&board.ada, "glass").await.unwrap();
    assert_eq!(settings(&board).await.quorum, None);
    assert_eq!(board.count("ApprovalRequested").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_authenticator_of_a_user_with_privilege_goes_when_two_others_agree() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let (first, second) = (board.tenant.enrol("ann").await, board.tenant.enrol("ann").await);
    board.tenant.issue_codes("ann").await;
    // Without privilege nobody is asked, and of two the first goes freely.
    place(&board.ada, true).await.unwrap();
    remove(&board.ada, &first).await.unwrap();
    let to_suspend = asked(suspend(&board.ada, &second).await);
    let id = asked(remove(&board.ada, &second).await);
    assert_ne!(to_suspend, id);
    let shown = board.look(&id).await;
    assert_eq!((shown.user_id.as_str(), shown.method.as_str()), ("ann", "RemoveAuthenticator"));
    assert_eq!(shown.details["authenticator_id"], second.authenticator_id);
    assert_eq!(shown.act(), DangerousAct::RemoveLastAuthenticator);

    approve(&board.others[0], &id).await.unwrap();
    let ada = board.ada.approved_by(&id);
    assert_eq!(refused(remove(&ada, &second).await), "APPROVAL_PENDING");
    assert_eq!(approve(&board.others[1], &id).await.unwrap().state(), ApprovalState::Ready);
    // What was approved for removing does not fit suspending.
    assert_eq!(refused(suspend(&ada, &second).await), "APPROVAL_MISMATCH");
    remove(&ada, &second).await.unwrap();
    assert_eq!(board.tenant.count("ann", "AuthenticatorRemoved").await, 2);
    assert_eq!(board.look(&id).await.state(), ApprovalState::Used);
    // The same again is the same request, and has been carried out.
    remove(&ada, &second).await.unwrap();
    assert_eq!(board.tenant.count("ann", "AuthenticatorRemoved").await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn privilege_is_not_taken_away_to_get_round_it() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    board.tenant.enrol("ann").await;
    place(&board.tenant.platform, true).await.unwrap();
    // A platform places users too, and is asked like anybody.
    for by in [&board.ada, &board.tenant.platform] {
        let id = asked(place(by, false).await);
        board.agree(&id).await;
        let stranger =
            if std::ptr::eq(by, &board.ada) { &board.tenant.platform } else { &board.ada };
        assert_eq!(refused(place(&stranger.approved_by(&id), false).await), "APPROVAL_MISMATCH");
    }
    let id = asked(place(&board.ada, false).await);
    place(&board.ada.approved_by(&id), false).await.unwrap();
    let request = GetUserRequest { user_id: "ann".to_owned() };
    let user = board.ada.enrollment().get_user(request).await.unwrap().into_inner();
    assert!(!user.placement.unwrap().privileged);
}

#[tokio::test(flavor = "multi_thread")]
async fn requirements_get_weaker_only_by_agreement() {
    use MfaRequirement::{Always, Never, PerApplication};

    let house = House::start().await;
    let board = Board::of(&house).await;
    let disable = async |by: &Caller| {
        let kind = FactorSettings { kind: "totp".to_owned(), disabled: true, ..Default::default() };
        let request =
            SetFactorSettingsRequest { request_id: "off".to_owned(), settings: Some(kind) };
        by.admin().set_factor_settings(request).await.map(drop)
    };
    for (application, requirement) in [("", Never), ("", PerApplication), ("vpn", Never)] {
        let id = asked(require(&board.ada, application, requirement).await);
        assert_eq!(board.look(&id).await.act(), DangerousAct::LoosenRequirement);
    }
    asked(disable(&board.ada).await);
    let id = asked(require(&board.ada, "", PerApplication).await);
    board.agree(&id).await;
    require(&board.ada.approved_by(&id), "", PerApplication).await.unwrap();
    assert_eq!(settings(&board).await.mfa_requirement(), PerApplication);
    // Stronger again, at once; and nothing else waits.
    require(&board.ada, "", Always).await.unwrap();
    let other = CreateApplicationRequest {
        application_id: "wiki".to_owned(),
        display_name: "Wiki".to_owned(),
        ..Default::default()
    };
    board.ada.admin().create_application(other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn users_are_erased_sooner_only_by_agreement() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let keep = async |by: &Caller, inactive_user_days: u32| {
        let request_id = format!("keep-{inactive_user_days}");
        let request = SetRetentionRequest { request_id, inactive_user_days };
        by.admin().set_retention(request).await.map(drop)
    };
    let id = asked(keep(&board.ada, 30).await);
    assert_eq!(board.look(&id).await.act(), DangerousAct::ShortenRetention);
    board.agree(&id).await;
    // What was agreed to, and nothing shorter.
    assert_eq!(refused(keep(&board.ada.approved_by(&id), 31).await), "APPROVAL_MISMATCH");
    keep(&board.ada.approved_by(&id), 30).await.unwrap();
    // Longer at once.
    keep(&board.ada, 0).await.unwrap();
    asked(keep(&board.ada, 3_650).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quorum_is_loosened_and_ended_only_by_agreement() {
    let house = House::start().await;
    let board = Board::with(&house, only(DangerousAct::BreakGlass, 2)).await;
    let acts = settings(&board).await.quorum.unwrap().acts;
    let [glass, loosen, add] =
        [DangerousAct::BreakGlass, DangerousAct::LoosenQuorum, DangerousAct::AddAdministrator]
            .map(i32::from);
    assert_eq!(acts, [glass, loosen, add]);
    let set = async |by: &Caller, quorum: Option<Quorum>, request_id: &str| {
        let request = countersign_proto::admin::SetQuorumRequest {
            request_id: request_id.to_owned(),
            quorum,
        };
        by.admin().set_quorum(request).await.map(drop)
    };
    asked(set(&board.ada, None, "end").await);
    asked(set(&board.ada, Some(only(DangerousAct::EraseTenant, 2)), "other").await);
    let fewer = asked(set(&board.ada, Some(only(DangerousAct::BreakGlass, 1)), "fewer").await);
    // Stricter is anybody's to set, and holds for what was asked before.
    set(&board.ada, Some(quorum(3, 0)), "stricter").await.unwrap();
    board.agree(&fewer).await;
    let ada = board.ada.approved_by(&fewer);
    let fewer_of = Some(only(DangerousAct::BreakGlass, 1));
    assert_eq!(refused(set(&ada, fewer_of.clone(), "fewer").await), "APPROVAL_PENDING");
    approve(&board.others[2], &fewer).await.unwrap();
    set(&ada, fewer_of, "fewer").await.unwrap();
    // Asked for while two had to agree: that holds for it.
    let end = asked(set(&board.ada, None, "end").await);
    approve(&board.others[0], &end).await.unwrap();
    let ending = board.ada.approved_by(&end);
    assert_eq!(refused(set(&ending, None, "end").await), "APPROVAL_PENDING");
    approve(&board.others[1], &end).await.unwrap();
    set(&board.ada.approved_by(&end), None, "end").await.unwrap();
    assert_eq!(settings(&board).await.quorum, None);
    crate::break_glass(&board.ada, "glass").await.unwrap();
    set_quorum(&board.ada, quorum(1, 0)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_is_added_by_agreement_and_the_key_is_shown_once() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(try_administrator(&board.ada, "eve").await);
    board.agree(&id).await;
    let ada = board.ada.approved_by(&id);
    let secret = try_administrator(&ada, "eve").await.unwrap();
    let eve = Caller::new(house.channel(), &secret);
    eve.admin().get_tenant(GetTenantRequest {}).await.unwrap();
    assert_eq!(refused(try_administrator(&ada, "eve").await), "KEY_ALREADY_SHOWN");

    // A fresh secret of somebody else's is as good as a key; one of one's own is not.
    let keys = board.ada.admin().list_api_keys(ListApiKeysRequest {}).await.unwrap().into_inner();
    let key_id = |name: &str| {
        let mut named = keys.api_keys.iter().filter(|key| key.display_name == name);
        named.next().unwrap().key_id.clone()
    };
    let rotate = async |by: &Caller, key_id: String| {
        let request = RotateApiKeyRequest { key_id, ..Default::default() };
        by.admin().rotate_api_key(request).await.map(|rotated| rotated.into_inner().secret)
    };
    asked(rotate(&board.ada, key_id("bob")).await);
    rotate(&board.ada, key_id("ROLE_VERIFIER")).await.unwrap();
    let own = rotate(&board.others[0], key_id("bob")).await.unwrap();
    let bob = Caller::new(house.channel(), &own);
    bob.admin().get_tenant(GetTenantRequest {}).await.unwrap();
}
