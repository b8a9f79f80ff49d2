//! Several publishers over one log.

use futures_util::future::join_all;

use crate::world::{Running, World, eventually};

#[tokio::test]
async fn of_two_publishers_one_stands_by_and_nothing_is_published_twice() {
    let world = World::new().await;
    let publishers = [world.publisher().await, world.publisher().await];
    for _ in 0..60 {
        world.log.grow(20);
        tokio::task::yield_now().await;
    }
    for publisher in &publishers {
        publisher.caught_up(&world.log).await;
    }
    eventually("one of them stands by", async || {
        world.log.grow(1);
        publishers.iter().filter(|publisher| publisher.report().active).count() == 1
    })
    .await;
    for publisher in &publishers {
        publisher.caught_up(&world.log).await;
    }
    world.assert_complete().await;
}

#[tokio::test]
async fn when_the_active_publisher_is_killed_the_other_goes_on_without_gap_or_repeat() {
    let world = World::new().await;
    let mut publishers: Vec<Running> = vec![world.publisher().await, world.publisher().await];
    for _ in 0..4 {
        eventually("one of them is active", async || {
            world.log.grow(10);
            publishers.iter().any(|publisher| publisher.report().active)
        })
        .await;
        world.log.grow(1000);
        let active = publishers.iter().position(|p| p.report().active).unwrap_or(0);
        let before = publishers[active].report().position;
        eventually("it is in the middle", async || {
            publishers[active].report().position > before || !publishers[active].report().active
        })
        .await;
        publishers.remove(active).killed().await;
        publishers.push(world.publisher().await);
    }
    join_all(publishers.iter().map(|publisher| publisher.caught_up(&world.log))).await;
    world.assert_complete().await;
}
