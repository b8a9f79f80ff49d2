//! Types that hold secrets wipe them: a program of its own has them and lets go of them, and its memory is searched.

use std::{io::Write as _, process::Stdio};

use countersign_tests::{holding, process::program};
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};

use crate::memory::{Region, regions};

/// Returns what is to be looked for of a kind of secret: not its beginning, where an allocator writes when memory is freed.
fn needles(seed: u8) -> Vec<Vec<u8>> {
    let marker: Vec<u8> = (0..holding::LONGEST).map(|at| holding::letter(seed, at)).collect();
    let base32 = BASE32_NOPAD.encode(&marker);
    let base64 = BASE64URL_NOPAD.encode(&marker[..32]);
    vec![
        marker[16..32].to_vec(),
        base32.as_bytes()[40..72].to_vec(),
        base64.as_bytes()[20..40].to_vec(),
    ]
}

/// Returns the kinds of which something is in memory. What a function had on the stack is not what a type could wipe.
fn held(regions: &[Region]) -> Vec<&'static str> {
    let heap: Vec<_> = regions.iter().filter(|region| region.name != "[stack]").collect();
    let kinds = holding::KINDS.iter().enumerate();
    let held = kinds.filter(|(number, _)| {
        let needles = needles(u8::try_from(*number).unwrap());
        needles.iter().any(|needle| heap.iter().any(|region| region.has(needle)))
    });
    held.map(|(_, kind)| kind.name).collect()
}

#[test]
fn what_holds_a_secret_wipes_it_when_it_is_dropped() {
    let mut child = std::process::Command::new(program("countersign-holds"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut hears = || {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut said, &mut line).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(hears(), "held");
    let all: Vec<_> = holding::KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(held(&regions(child.id())), all, "the search does not find what is there");
    child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    assert_eq!(hears(), "dropped");
    assert_eq!(held(&regions(child.id())), [""; 0], "still there");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
