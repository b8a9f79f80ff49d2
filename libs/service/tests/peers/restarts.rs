//! Replicas that are started anew one after the other, under load.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use countersign_testkit::{CuttableProxy, ReservedPort, reserve_ports};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    peer::{Peer, Script},
    world::Front,
};

const CALLERS: usize = 8;

/// Callers who read all the time. None of their calls may fail.
struct Load {
    is_over: Arc<AtomicBool>,
    answered: watch::Receiver<usize>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn begin(front: &Arc<Front>) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let (answers, answered) = watch::channel(0);
        let caller = |_| {
            let (front, is_over) = (Arc::clone(front), Arc::clone(&is_over));
            let answers = answers.clone();
            tokio::spawn(async move {
                while !is_over.load(Ordering::Acquire) {
                    front.read().await.unwrap();
                    answers.send_modify(|count| *count += 1);
                }
            })
        };
        let callers = (0..CALLERS).map(caller).collect();
        Self { is_over, answered, callers }
    }

    /// Waits for some more answers of every caller, one with another.
    async fn goes_on(&self) {
        let mut answered = self.answered.clone();
        let before = *answered.borrow();
        // It ends if all callers have failed.
        answered.wait_for(|count| *count >= before + 10 * CALLERS).await.unwrap();
        assert!(self.callers.iter().all(|caller| !caller.is_finished()), "a call failed");
    }

    async fn end(self) {
        self.is_over.store(true, Ordering::Release);
        for caller in self.callers {
            caller.await.unwrap();
        }
    }
}

#[tokio::test]
async fn replicas_that_stop_in_good_order_cost_no_call() {
    let ports = reserve_ports::<2>();
    let addresses = ports.each_ref().map(ReservedPort::address);
    let mut peers = Vec::new();
    for (name, address) in ["a", "b"].into_iter().zip(addresses) {
        peers.push(Peer::start_at(Script::new(name), address).await);
    }
    let front = Arc::new(Front::to(&addresses).await);
    let load = Load::begin(&front);
    load.goes_on().await;
    for _ in 0..2 {
        for _ in 0..2 {
            let (script, address) = peers.remove(0).stop().await;
            load.goes_on().await;
            let before = script.count();
            peers.push(Peer::start_at(script.clone(), address).await);
            // The other one is stopped only when this one serves again.
            script.was_asked(before + 1).await;
            load.goes_on().await;
        }
    }
    load.end().await;
}

#[tokio::test]
async fn replicas_that_are_killed_cost_no_read() {
    let peers = [Peer::start("a").await, Peer::start("b").await];
    let mut wires = Vec::new();
    for peer in &peers {
        wires.push(CuttableProxy::start(peer.address).await);
    }
    let addresses: Vec<_> = wires.iter().map(CuttableProxy::address).collect();
    let front = Arc::new(Front::to(&addresses).await);
    let load = Load::begin(&front);
    load.goes_on().await;
    for _ in 0..2 {
        for (peer, wire) in peers.iter().zip(&mut wires) {
            wire.cut().await;
            load.goes_on().await;
            let before = peer.script.count();
            wire.mend();
            peer.script.was_asked(before + 1).await;
            load.goes_on().await;
        }
    }
    load.end().await;
}
