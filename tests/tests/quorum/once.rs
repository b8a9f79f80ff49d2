//! What was agreed to is carried out once, however often it is asked for.

use std::time::Duration;

use countersign_proto::admin::{CreateApiKeyRequest, MendGlassRequest, Role};
use countersign_tests::{Caller, House};

use crate::{Board, asked, break_glass, refused};

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_who_use_one_approval_at_once_carry_it_out_once() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let add = async |by: &Caller, request_id: String| {
        let request = CreateApiKeyRequest {
            request_id,
            display_name: "eve".to_owned(),
            roles: vec![Role::TenantAdmin.into()],
            ..Default::default()
        };
        by.admin().create_api_key(request).await.map(drop)
    };
    let before = board.count("ApiKeyIssued").await;
    let id = asked(add(&board.ada, String::new()).await);
    board.agree(&id).await;
    // Each as a request of its own: one is let through.
    let mut callers = Vec::new();
    for _ in 0..16 {
        callers.push(board.ada.over(house.connect().await).approved_by(&id));
    }
    let each = callers.iter().zip(0..).map(|(ada, number)| add(ada, format!("eve-{number}")));
    let mut done = 0;
    for one in futures_util::future::join_all(each).await {
        match one {
            Ok(()) => done += 1,
            Err(status) => assert_eq!(refused::<()>(Err(status)), "APPROVAL_CLOSED"),
        }
    }
    assert_eq!(done, 1);
    assert_eq!(board.count("ApprovalUsed").await, 1);
    assert_eq!(board.count("ApiKeyIssued").await, before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_repeats_of_one_request_are_all_told_that_it_is_done() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    let mut each = Vec::new();
    for _ in 0..16 {
        let ada = board.ada.over(house.connect().await).approved_by(&id);
        each.push(tokio::spawn(async move { break_glass(&ada, "glass").await }));
    }
    for one in each {
        one.await.unwrap().unwrap();
    }
    assert_eq!((board.count("ApprovalUsed").await, board.count("GlassBroken").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_carries_nothing_out_again_when_so_much_came_after_it_that_it_is_forgotten() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    let ada = board.ada.approved_by(&id);
    break_glass(&ada, "glass").await.unwrap();
    board.ada.admin().mend_glass(MendGlassRequest::default()).await.unwrap();
    // A stream remembers its latest 128 commands.
    for number in 0..130 {
        let request = countersign_proto::admin::CreateApplicationRequest {
            application_id: format!("application-{number}"),
            display_name: "One of many".to_owned(),
            ..Default::default()
        };
        board.ada.admin().create_application(request).await.unwrap();
    }
    assert_eq!(refused(break_glass(&ada, "glass").await), "APPROVAL_CLOSED");
    assert_eq!(board.count("GlassBroken").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_id_of_a_request_that_was_carried_out_fits_no_other() {
    let house = House::start().await;
    let board = Board::of(&house).await;
    let id = asked(break_glass(&board.ada, "glass").await);
    board.agree(&id).await;
    let ada = board.ada.approved_by(&id);
    break_glass(&ada, "glass").await.unwrap();
    let other = ada.admin().break_glass(crate::glass("glass", "another reason")).await;
    assert_eq!(refused(other), "REQUEST_ID_REUSED");
    // Later, so that it is not so already.
    let later = || house.clock.advance(Duration::from_secs(1));
    later();
    assert_eq!(refused(break_glass(&ada, "glass-2").await), "APPROVAL_CLOSED");
    // The second time is agreed to anew.
    later();
    let anew = asked(break_glass(&board.ada, "glass-2").await);
    assert_ne!(anew, id);
    board.agree(&anew).await;
    break_glass(&board.ada.approved_by(&anew), "glass-2").await.unwrap();
    assert_eq!(board.count("GlassBroken").await, 2);
    for round in 3..7 {
        later();
        let next = asked(break_glass(&board.ada, "glass-n").await);
        board.agree(&next).await;
        let ada = board.ada.approved_by(&next);
        break_glass(&ada, &format!("glass-{round}")).await.unwrap();
        assert_eq!(board.count("GlassBroken").await, round);
    }
}
