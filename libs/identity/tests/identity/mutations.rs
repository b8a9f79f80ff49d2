//! Tokens that are right but for some letters.

use proptest::prelude::*;
use tokio::runtime::Runtime;

use crate::{signing::Signer, world::World};

/// What is done to a token.
#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: usize, bit: u8 },
    Put { at: usize, letter: char },
    Cut { at: usize },
    Swap { at: usize, with: usize },
    End { at: usize },
    Repeat { at: usize },
}

impl Mutation {
    fn of(&self, token: &str) -> String {
        let mut letters: Vec<char> = token.chars().collect();
        let length = letters.len();
        match *self {
            Self::Flip { at, bit } => {
                let letter = letters[at % length] as u8 ^ (1 << (bit % 7));
                letters[at % length] = char::from(letter);
            }
            Self::Put { at, letter } => letters.insert(at % (length + 1), letter),
            Self::Cut { at } => drop(letters.remove(at % length)),
            Self::Swap { at, with } => letters.swap(at % length, with % length),
            Self::End { at } => letters.truncate(at % length),
            Self::Repeat { at } => letters.extend_from_within(at % length..),
        }
        letters.into_iter().collect()
    }
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<usize>;
    let put = |(at, letter)| Mutation::Put { at, letter };
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        (at(), proptest::char::range('-', 'z')).prop_map(put),
        (at(), any::<char>()).prop_map(put),
        at().prop_map(|at| Mutation::Cut { at }),
        (at(), at()).prop_map(|(at, with)| Mutation::Swap { at, with }),
        at().prop_map(|at| Mutation::End { at }),
        at().prop_map(|at| Mutation::Repeat { at }),
    ]
}

/// Tokens by all kinds of keys, and whoever accepts them.
fn right_tokens(runtime: &Runtime) -> (World, Vec<String>) {
    let signers = [Signer::rsa("r"), Signer::p256("e"), Signer::ed25519("d")];
    let world = runtime.block_on(World::of(&signers.each_ref()));
    let tokens = signers.each_ref().map(|signer| world.token(signer)).to_vec();
    for token in &tokens {
        assert!(runtime.block_on(world.verify(token)).is_ok());
    }
    (world, tokens)
}

#[test]
fn a_token_is_accepted_as_it_was_signed_and_in_no_other_way() {
    let runtime = Runtime::new().unwrap();
    let (world, tokens) = right_tokens(&runtime);
    let changes = (0..tokens.len(), proptest::collection::vec(mutation(), 1..4));
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() };
    proptest!(config, |((which, mutations) in changes)| {
        let token = &tokens[which];
        let changed = mutations.iter().fold(token.clone(), |token, mutation| {
            if token.is_empty() { token } else { mutation.of(&token) }
        });
        let verified = runtime.block_on(world.verify(&changed));
        prop_assert_eq!(verified.is_ok(), changed == *token, "{}", changed);
    });
}

#[test]
fn parts_of_different_tokens_make_no_token() {
    let runtime = Runtime::new().unwrap();
    let (world, tokens) = right_tokens(&runtime);
    let parts: Vec<Vec<&str>> = tokens.iter().map(|token| token.split('.').collect()).collect();
    for (a, b, c) in triples(parts.len()) {
        let token = [parts[a][0], parts[b][1], parts[c][2]].join(".");
        // All three have the same claims.
        let is_right = a == c;
        assert_eq!(runtime.block_on(world.verify(&token)).is_ok(), is_right, "{a} {b} {c}");
    }
}

/// All choices of three numbers below `end`.
fn triples(end: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..end).flat_map(move |a| (0..end).flat_map(move |b| (0..end).map(move |c| (a, b, c))))
}

#[test]
fn texts_of_strangers_are_refused() {
    let runtime = Runtime::new().unwrap();
    let (world, _) = right_tokens(&runtime);
    proptest!(ProptestConfig { failure_persistence: None, ..Default::default() }, |(text in any::<String>())| {
        prop_assert!(runtime.block_on(world.verify(&text)).is_err());
    });
}
