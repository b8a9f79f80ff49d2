//! Lists, the log, and what is shown of users who were erased.

use countersign_proto::{
    admin::{Approval, ListApprovalsRequest},
    enrollment::{EraseUserRequest, PlaceUserRequest, Placement, RemoveAuthenticatorRequest},
    event::{ApprovalGiven, ApprovalRequested},
};
use countersign_tests::{House, files, latin};
use prost::Message as _;

use crate::{Board, asked, becomes, break_glass, glass};

async fn listed(board: &Board, page_size: u32) -> Vec<Approval> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListApprovalsRequest { page_size, page_token };
        let page = board.tenant.auditor.admin().list_approvals(request).await;
        let page = page.unwrap().into_inner();
        all.extend(page.approvals);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return all;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_for_approval_are_listed_the_newest_first_also_after_a_restart() {
    let house = House::start().await;
    let mut board = Board::of(&house).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let why = format!("reason {number}");
        ids.insert(0, asked(board.ada.admin().break_glass(glass("", &why)).await));
    }
    let ids_of = |all: &Vec<Approval>| -> Vec<String> {
        all.iter().map(|approval| approval.approval_id.clone()).collect()
    };
    let all = becomes(async || listed(&board, 2).await, |all| all.len() == 5).await;
    assert_eq!(ids_of(&all), ids);
    assert_eq!(all[0].details["reason"], "reason 4");
    assert_eq!(all[0].details["lifetime"], "3600 s");
    let house = house.restart().await;
    board.tenant = board.tenant.over(&house.channel());
    let again = becomes(async || listed(&board, 0).await, |all| all.len() == 5).await;
    assert_eq!(again, all);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_in_the_log_with_who_did_it() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    break_glass(&board.ada.approved_by(&id), "glass").await.unwrap();
    let events = board.tenant.auditor.replay(Default::default()).await;
    let of_approval: Vec<_> =
        events.iter().filter(|event| event.stream == format!("approvals-acme.{id}")).collect();
    let types: Vec<_> = of_approval.iter().map(|event| event.r#type.as_str()).collect();
    assert_eq!(types, ["ApprovalRequested", "ApprovalGiven", "ApprovalGiven", "ApprovalUsed"]);
    let payload = |n: usize| of_approval[n].payload.clone().unwrap().value;
    let requested = ApprovalRequested::decode(&*payload(0)).unwrap();
    assert_eq!(requested.requester, of_approval[0].requester);
    assert_eq!((requested.approvers, requested.digest.len()), (2, 32));
    for n in [1, 2] {
        let given = ApprovalGiven::decode(&*payload(n)).unwrap();
        assert_eq!(given.approver, of_approval[n].requester);
    }
    let done = events.iter().position(|event| event.r#type == "GlassBroken").unwrap();
    let used = events.iter().position(|event| event.r#type == "ApprovalUsed").unwrap();
    assert!(used < done, "first it is used, then carried out");
    assert_eq!(events[used].correlation_id, events[done].correlation_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn whom_it_is_about_is_sealed_and_gone_when_they_are_erased() {
    const ANN: &str = "ann.of.the.north@example.org";
    let house = House::single().await;
    let board = Board::of(&house).await;
    let phone = board.tenant.enrol(ANN).await;
    let place = PlaceUserRequest {
        user_id: ANN.to_owned(),
        placement: Some(Placement { privileged: true, ..Default::default() }),
        ..Default::default()
    };
    board.ada.enrollment().place_user(place).await.unwrap();
    let remove = RemoveAuthenticatorRequest {
        user_id: ANN.to_owned(),
        authenticator_id: phone.authenticator_id,
        ..Default::default()
    };
    let id = asked(board.ada.enrollment().remove_authenticator(remove).await);
    assert_eq!(board.look(&id).await.user_id, ANN);
    let erase = EraseUserRequest { user_id: ANN.to_owned(), ..Default::default() };
    board.ada.enrollment().erase_user(erase).await.unwrap();
    assert_eq!(board.look(&id).await.user_id, "[erased]");
    let marked = async || {
        let events = board.tenant.auditor.replay(Default::default()).await;
        events.into_iter().find(|event| event.r#type == "ApprovalRequested").unwrap().erased
    };
    becomes(marked, |erased| *erased).await;
    let directory = house.stop().await;
    for file in files(directory.path()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(!latin(&bytes).contains(ANN), "{} tells it", file.display());
    }
}
