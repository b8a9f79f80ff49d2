//! What others say, and what time does.

use std::time::Duration;

use countersign_proto::admin::{
    ApprovalState, DangerousAct, GetApprovalRequest, ListApprovalsRequest, WithdrawRequestRequest,
};
use countersign_tests::{Caller, House, retry_after};
use tonic::Status;

use crate::{Board, approve, asked, break_glass, decline, glass, only, quorum, refused};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3_600);

async fn withdraw(by: &Caller, approval_id: &str) -> Result<(), Status> {
    let approval_id = approval_id.to_owned();
    let request = WithdrawRequestRequest { approval_id, ..Default::default() };
    by.admin().withdraw_request(request).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_finds_the_same_approval_and_another_gets_its_own() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "one").await);
    for request_id in ["one", "two", ""] {
        assert_eq!(asked(break_glass(&board.ada, request_id).await), id);
    }
    let other = board.ada.admin().break_glass(glass("three", "another reason")).await;
    assert_ne!(asked(other), id);
    assert_ne!(asked(break_glass(&board.others[0], "one").await), id, "each asks for themselves");
    assert_eq!(board.count("ApprovalRequested").await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_agrees_to_their_own_request_and_nobody_twice() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    assert_eq!(refused(approve(&board.ada, &id).await), "APPROVAL_OWN_REQUEST");
    assert_eq!(refused(decline(&board.ada, &id).await), "APPROVAL_OWN_REQUEST");
    for _ in 0..3 {
        let shown = approve(&board.others[0], &id).await.unwrap();
        assert_eq!((shown.given.len(), shown.state()), (1, ApprovalState::Pending));
        let request = countersign_proto::admin::ApproveRequestRequest {
            approval_id: id.clone(),
            ..Default::default()
        };
        board.others[0].admin().approve_request(request).await.unwrap();
    }
    assert_eq!(
        refused(break_glass(&board.ada.approved_by(&id), "glass").await),
        "APPROVAL_PENDING"
    );
    assert_eq!(approve(&board.others[1], &id).await.unwrap().given.len(), 2);
    break_glass(&board.ada.approved_by(&id), "glass").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_counts_as_another_administrator_and_no_other_role_does() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    for by in [&board.tenant.platform, &board.tenant.auditor] {
        assert_eq!(refused(approve(by, &id).await), "PERMISSION_DENIED");
        assert_eq!(refused(decline(by, &id).await), "PERMISSION_DENIED");
    }
    approve(&board.others[0], &id).await.unwrap();
    let shown = approve(&house.operator().naming("acme"), &id).await.unwrap();
    assert_eq!(shown.state(), ApprovalState::Ready);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_delay_counts_from_the_last_approval_and_leaves_time_to_object() {
    let house = House::start().await;
    let board = Board::with(&house, quorum(2, 3_600)).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    approve(&board.others[0], &id).await.unwrap();
    house.clock.advance(Duration::from_secs(5_000));
    let shown = approve(&board.others[1], &id).await.unwrap();
    assert_eq!(shown.state(), ApprovalState::Waiting);
    let due = house.now().unix_seconds() + 3_600;
    assert_eq!(shown.not_before.unwrap().seconds, due);
    let ada = board.ada.approved_by(&id);
    house.clock.advance(Duration::from_secs(3_590));
    let early = break_glass(&ada, "glass").await.unwrap_err();
    assert_eq!(refused::<()>(Err(early.clone())), "APPROVAL_PENDING");
    assert_eq!(retry_after(&early), Some(Duration::from_secs(10)));
    house.clock.advance(Duration::from_secs(10));
    break_glass(&ada, "glass").await.unwrap();

    house.clock.advance(Duration::from_secs(1));
    let id = asked(board.ada.admin().break_glass(glass("again", "once more")).await);
    board.agree(&id).await;
    decline(&board.others[2], &id).await.unwrap();
    house.clock.advance(Duration::from_secs(3_600));
    let late = board.ada.approved_by(&id).admin().break_glass(glass("again", "once more")).await;
    assert_eq!(refused(late), "APPROVAL_DECLINED");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_declines_ends_it_and_says_why_and_the_next_time_is_asked_anew() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    approve(&board.others[0], &id).await.unwrap();
    let shown = decline(&board.others[1], &id).await.unwrap();
    assert_eq!(shown.state(), ApprovalState::Declined);
    assert_eq!(shown.decline_reason, "not today");
    assert!(shown.decliner.starts_with("api-key:acme."));
    assert_eq!(refused(approve(&board.others[2], &id).await), "APPROVAL_DECLINED");
    assert_eq!(
        refused(break_glass(&board.ada.approved_by(&id), "glass").await),
        "APPROVAL_DECLINED"
    );
    // What was said then counts for nothing now.
    let anew = asked(break_glass(&board.ada, "glass").await);
    assert_ne!(anew, id);
    assert!(board.look(&anew).await.given.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_takes_it_back_and_nobody_else_does() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    assert_eq!(refused(withdraw(&board.others[0], &id).await), "APPROVAL_NOT_FOUND");
    withdraw(&board.ada, &id).await.unwrap();
    withdraw(&board.ada, &id).await.unwrap();
    assert_eq!(board.look(&id).await.state(), ApprovalState::Withdrawn);
    let late = approve(&board.others[0], &id).await.unwrap_err();
    assert_eq!(refused::<()>(Err(late)), "APPROVAL_CLOSED");
    assert_ne!(asked(break_glass(&board.ada, "glass").await), id);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_worth_nothing_after_a_week() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    approve(&board.others[0], &id).await.unwrap();
    house.clock.advance(WEEK - Duration::from_secs(1));
    approve(&board.others[1], &id).await.unwrap();
    assert_eq!(board.look(&id).await.state(), ApprovalState::Ready);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(board.look(&id).await.state(), ApprovalState::Expired);
    assert_eq!(
        refused(break_glass(&board.ada.approved_by(&id), "glass").await),
        "APPROVAL_EXPIRED"
    );
    assert_eq!(refused(approve(&board.others[2], &id).await), "APPROVAL_EXPIRED");
    assert_ne!(asked(break_glass(&board.ada, "glass").await), id);
    assert_eq!(board.count("GlassBroken").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_fits_the_very_request_and_caller_only() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    let longer = countersign_proto::admin::BreakGlassRequest {
        lifetime: Some(prost_types::Duration { seconds: 3_601, nanos: 0 }),
        ..glass("longer", "nobody gets codes")
    };
    let ada = board.ada.approved_by(&id);
    assert_eq!(refused(ada.admin().break_glass(longer).await), "APPROVAL_MISMATCH");
    let other = ada.admin().break_glass(glass("other", "another reason")).await;
    assert_eq!(refused(other), "APPROVAL_MISMATCH");
    let stranger = board.others[0].approved_by(&id);
    assert_eq!(refused(break_glass(&stranger, "glass").await), "APPROVAL_MISMATCH");
    let nothing = "0198c000-0000-7000-8000-000000000000";
    let by = board.ada.approved_by(nothing);
    assert_eq!(refused(break_glass(&by, "glass").await), "APPROVAL_NOT_FOUND");
    for odd in ["", "yes", "0198c000"] {
        let by = board.ada.approved_by(odd);
        assert_eq!(refused(break_glass(&by, "glass").await), "FIELD_INVALID");
    }
    // Without an id of its own a repeat could not be told from a second time.
    assert_eq!(refused(break_glass(&ada, "").await), "FIELD_INVALID");
    assert_eq!(board.count("GlassBroken").await, 0);
    break_glass(&ada, "glass").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_approvals_are_not_there() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let globex = house.tenant("globex").await;
    crate::set_quorum(&globex.admin, only(DangerousAct::BreakGlass, 1)).await.unwrap();
    let id = asked(break_glass(&board.ada, "glass").await);
    let request = GetApprovalRequest { approval_id: id.clone() };
    let got = globex.admin.admin().get_approval(request).await;
    assert_eq!(refused(got), "APPROVAL_NOT_FOUND");
    assert_eq!(refused(approve(&globex.admin, &id).await), "APPROVAL_NOT_FOUND");
    assert_eq!(refused(decline(&globex.admin, &id).await), "APPROVAL_NOT_FOUND");
    let by = globex.admin.approved_by(&id);
    assert_eq!(refused(break_glass(&by, "glass").await), "APPROVAL_NOT_FOUND");
    let listed =
        globex.auditor.admin().list_approvals(ListApprovalsRequest::default()).await.unwrap();
    let listed = listed.into_inner().approvals;
    assert!(listed.iter().all(|approval| approval.approval_id != id));
    assert!(board.look(&id).await.given.is_empty());
}
