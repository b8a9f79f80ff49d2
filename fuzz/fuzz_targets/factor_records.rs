//! Records of authenticators: damage is told and never hidden, and what a good record shows is read by others alike.

#![no_main]

use countersign_core::{SecretBytes, Timestamp};
use countersign_factors::{FactorSettings, Provisioning, factor};
use countersign_fuzz::Parts;
use libfuzzer_sys::fuzz_target;
use totp_rs::{Secret, Totp};

const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);

fuzz_target!(|bytes: &[u8]| {
    let mut parts = Parts::new(bytes);
    let settings = FactorSettings { totp_skew_steps: parts.byte().into(), ..Default::default() };
    let code = String::from_utf8_lossy(parts.part());
    let record = SecretBytes::new(parts.rest().to_vec());

    let totp = factor("totp").expect("a kind that there is");
    let shown = totp.provisioning(&record);
    assert_eq!(totp.verify(&record, &settings, &code, NOW).is_ok(), shown.is_ok());
    if let Ok(Provisioning::KeyUri { uri, secret_base32 }) = shown {
        let secret = Secret::try_from_base32(secret_base32.expose()).expect("base 32");
        assert_eq!(secret.to_base32(), secret_base32.expose());
        // Others refuse some names; where they take all of it, they make of it the same codes.
        if let Ok(theirs) = Totp::from_url(uri.expose()) {
            let code = theirs.generate(1_700_000_000).to_string();
            let judged = totp.verify(&record, &settings, &code, NOW);
            assert!(matches!(judged, Ok(countersign_factors::Verdict::Right(_))), "{judged:?}");
        }
    }
    // No code, so that nothing is hashed: only the record is read.
    for kind in ["recovery_code", "temporary_access_pass"] {
        let kind = factor(kind).expect("a kind that there is");
        let _ = kind.verify(&record, &settings, "no code", NOW);
    }
});
