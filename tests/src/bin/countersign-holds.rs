//! Has one secret of every kind until it reads a line, and none from then on until its input ends. A program of its own,
//! with an allocator that wipes nothing and nothing else in its memory.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "this is a test's: it talks to the test"
)]

use std::io::{Read as _, stdin};

use countersign_tests::holding::KINDS;

fn main() {
    let held: Vec<_> = (0..).zip(KINDS).map(|(seed, kind)| (kind.make)(seed)).collect();
    println!("held");
    stdin().read_line(&mut String::new()).unwrap();
    drop(held);
    println!("dropped");
    stdin().read_to_end(&mut Vec::new()).unwrap();
}
