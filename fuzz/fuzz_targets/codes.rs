//! Codes as people type them: no code is of two kinds, and a code is right only if somebody else's generator makes it.

#![no_main]

use std::sync::LazyLock;

use countersign_core::{SecretBytes, Timestamp};
use countersign_factors::{
    BeginEnrollment, Consumes, Factor, FactorSettings, Provisioning, Verdict, factor, kinds,
};
use countersign_fuzz::Counting;
use libfuzzer_sys::fuzz_target;
use totp_rs::Totp;

/// The corpus holds codes of this moment.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
const PERIOD: u64 = 30;

static ENROLLED: LazyLock<(SecretBytes, Totp)> = LazyLock::new(|| {
    let begin = BeginEnrollment {
        account_name: "jo@example.com".into(),
        issuer: "Example".into(),
        parameters: [].into(),
    };
    let begun = totp().begin_enrollment(&begin, &Counting::default()).expect("good parameters");
    let Provisioning::KeyUri { uri, .. } = &begun.provisioning else { panic!("a key URI") };
    let theirs = Totp::from_url(uri.expose()).expect("a URI that others read");
    (begun.record, theirs)
});

fn totp() -> &'static dyn Factor {
    factor("totp").expect("a kind that there is")
}

fuzz_target!(|code: &str| {
    let kinds: Vec<_> = kinds().filter_map(factor).filter(|kind| kind.recognises(code)).collect();
    assert!(kinds.len() <= 1, "{kinds:?}");
    let plain: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect();
    for kind in &kinds {
        assert!(kind.recognises(&plain) && kind.recognises(&plain.to_lowercase()));
    }
    let (record, theirs) = &*ENROLLED;
    let verdict = totp().verify(record, &FactorSettings::default(), code, NOW);
    if let Ok(Verdict::Right(Consumes::MovingFactor(steps))) = verdict {
        assert!(!steps.is_empty() && totp().recognises(code));
        assert!(steps.iter().all(|step| theirs.generate(step * PERIOD).to_string() == plain));
    }
});
