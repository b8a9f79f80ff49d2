//! Use cases, one a file.

mod evaluate_sign_in;

pub(crate) use evaluate_sign_in::{EvaluateSignIn, evaluate_sign_in};
