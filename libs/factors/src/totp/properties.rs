//! What holds for every parameter, code and time.

use countersign_core::{SecretBytes, Timestamp};
use proptest::prelude::*;

use super::{
    SKEW_STEPS_MAX, Totp,
    parameters::{Algorithm, Parameters},
    record::Record,
};
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, EnrollmentError, Factor as _, FactorSettings,
    Provisioning, RecordError, Verdict,
    fixtures::{Seeded, begin, damaged},
};

fn begun(parameters: Parameters, seed: u64) -> BegunEnrollment {
    let begin = BeginEnrollment { parameters: parameters.told(), ..begin(&[]) };
    Totp.begin_enrollment(&begin, &Seeded::new(seed)).unwrap()
}

fn settings(totp_skew_steps: u32) -> FactorSettings {
    FactorSettings { totp_skew_steps, ..FactorSettings::default() }
}

fn matching(verdict: Verdict) -> Vec<u64> {
    match verdict {
        Verdict::Right(Consumes::MovingFactor(steps)) => {
            assert!(!steps.is_empty());
            steps
        }
        Verdict::Wrong => Vec::new(),
        other => panic!("no verdict of this kind: {other:?}"),
    }
}

fn parameters() -> impl Strategy<Value = Parameters> {
    let algorithm = prop::sample::select(Algorithm::ALL.to_vec());
    let digits = prop::sample::select(vec![6_u8, 8]);
    (algorithm, digits, 15_u16..=300).prop_map(|(algorithm, digits, period_seconds)| Parameters {
        algorithm,
        digits,
        period_seconds,
    })
}

proptest! {
    #[test]
    fn every_code_is_right_in_its_window_and_nowhere_else(
        parameters in parameters(),
        seed in any::<u64>(),
        skew in prop_oneof![0_u32..=12, Just(u32::MAX)],
        seconds in 0_u32..=u32::MAX,
        offset in -13_i64..=13,
    ) {
        let begun = begun(parameters, seed);
        let record = Record::decode(&begun.record).unwrap();
        let now = i64::from(seconds) / i64::from(parameters.period_seconds);
        let step = u64::try_from((now + offset).max(0)).unwrap();
        let code = record.code_at(step);
        prop_assert!(Totp.recognises(&code));
        let at = Timestamp::from_unix_seconds(seconds.into());
        let verdict = Totp.verify(&begun.record, &settings(skew), &code, at).unwrap();
        // Two steps may share a code: asked is whether the code's own step is found, and that the rest fits too.
        let steps = matching(verdict);
        let now = u64::try_from(now).unwrap();
        let reach = u64::from(skew.min(SKEW_STEPS_MAX));
        prop_assert_eq!(steps.contains(&step), step.abs_diff(now) <= reach);
        prop_assert!(steps.is_sorted_by(|a, b| a < b));
        prop_assert!(steps.iter().all(|step| step.abs_diff(now) <= reach));
        prop_assert!(steps.iter().all(|step| record.code_at(*step) == code));
    }

    #[test]
    fn confirming_is_judged_like_verifying(
        seed in any::<u64>(),
        seconds in 0_u32..=u32::MAX,
        is_right in any::<bool>(),
    ) {
        let begun = begun(Parameters::default(), seed);
        let step = u64::from(seconds / 30) + if is_right { 0 } else { 5 };
        let code = Record::decode(&begun.record).unwrap().code_at(step);
        let at = Timestamp::from_unix_seconds(seconds.into());
        prop_assert_eq!(
            Totp.confirm_enrollment(&begun.record, &settings(1), &code, at),
            Totp.verify(&begun.record, &settings(1), &code, at)
        );
    }

    #[test]
    fn nothing_that_is_typed_or_stored_makes_it_panic(
        record in prop::collection::vec(any::<u8>(), 0..120),
        has_the_version in any::<bool>(),
        code in any::<String>(),
        micros in any::<i64>(),
        skew in any::<u32>(),
    ) {
        let mut record = record;
        if let Some(version) = record.first_mut().filter(|_| has_the_version) {
            *version = 1;
        }
        let now = Timestamp::from_unix_micros(micros);
        let own = begun(Parameters::default(), 1).record;
        for record in [SecretBytes::new(record), own] {
            for code in [code.as_str(), "123456", "12345678"] {
                let verified = Totp.verify(&record, &settings(skew), code, now);
                prop_assert_eq!(verified.is_ok(), Totp.provisioning(&record).is_ok());
            }
        }
        prop_assert!(!Totp.recognises(&code) || code.len() >= 6);
    }

    #[test]
    fn whatever_is_asked_for_is_refused_or_in_force(
        account_name in any::<String>(),
        issuer in any::<String>(),
        asked in prop::collection::btree_map(
            prop_oneof!["algorithm|digits|period_seconds", any::<String>()],
            prop_oneof!["SHA1|SHA256|SHA512|6|8|[0-9]{2,3}", any::<String>()],
            0..4,
        ),
    ) {
        let begin = BeginEnrollment { account_name, issuer, parameters: asked.clone() };
        match Totp.begin_enrollment(&begin, &Seeded::new(1)) {
            Ok(begun) => {
                // Numbers may be written in more than one way.
                let number = |text: &String| text.parse::<u16>().ok();
                let is_in_force = |(name, value): (&String, &String)| {
                    let own = &begun.parameters[name];
                    own == value || (number(own).is_some() && number(own) == number(value))
                };
                prop_assert!(asked.iter().all(is_in_force));
                prop_assert!(Totp.provisioning(&begun.record).is_ok());
            }
            Err(EnrollmentError::Parameter(error)) => {
                prop_assert!(error.field == "account_name" || error.field.starts_with("totp."));
            }
            Err(error) => {
                let is_unknown = matches!(error, EnrollmentError::UnknownParameter { .. });
                prop_assert!(is_unknown, "{error}");
            }
        }
    }
}

#[test]
fn the_secret_is_as_long_as_the_hash_and_the_uri_can_be_shown_again() {
    for (name, len) in [("SHA1", 20), ("SHA256", 32), ("SHA512", 64)] {
        let begun = Totp.begin_enrollment(&begin(&[("algorithm", name)]), &Seeded::new(7)).unwrap();
        let again = Totp.provisioning(&begun.record).unwrap();
        let (Provisioning::KeyUri { uri, secret_base32 }, Provisioning::KeyUri { uri: second, .. }) =
            (&begun.provisioning, &again)
        else {
            panic!("no key URI");
        };
        assert_eq!(uri, second);
        let secret = data_encoding::BASE32_NOPAD.decode(secret_base32.expose().as_bytes()).unwrap();
        assert_eq!(secret.len(), len);
        assert_ne!(secret, vec![0; len]);
    }
}

#[test]
fn an_account_without_a_name_or_with_too_long_a_one_is_refused() {
    for (name, message) in [
        (String::new(), "account_name: is required"),
        (" ".to_owned(), "account_name: is required"),
        ("ß".repeat(129), "account_name: must have 1 to 256 bytes, not 258"),
    ] {
        let begin = BeginEnrollment { account_name: name, ..begin(&[]) };
        let error = Totp.begin_enrollment(&begin, &Seeded::new(1)).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_damaged_record_is_refused_or_knows_no_right_code() {
    let begun = begun(Parameters::default(), 3);
    let now = Timestamp::from_unix_seconds(1_700_000_000);
    let code = Record::decode(&begun.record).unwrap().code_at(1_700_000_000 / 30);
    let names = "Example".len() + "jo@example.com".len() + 2;
    let judged_by = begun.record.expose().len() - names;
    for at in 0..begun.record.expose().len() {
        for bit in 0..8 {
            let [flipped, cut] = damaged(&begun.record, at, bit);
            let verdict = Totp.verify(&flipped, &settings(1), &code, now);
            if at < judged_by {
                assert!(!matches!(verdict, Ok(Verdict::Right(_))), "bit {bit} of byte {at}");
            }
            assert!(Totp.verify(&cut, &settings(1), &code, now).is_err(), "cut at {at}");
        }
    }
}

/// Records lie in logs for good: what version 1 wrote must be read by every later release.
#[test]
fn a_record_of_version_1_is_read_as_it_was_written() {
    let written = "0100061e14313233343536373839303132333435363738393007\
                   4578616d706c650e6a6f406578616d706c652e636f6d";
    let bytes = data_encoding::HEXLOWER.decode(written.as_bytes()).unwrap();
    let record = SecretBytes::new(bytes);
    let read = Record::decode(&record).unwrap();
    assert_eq!(read.secret, b"12345678901234567890");
    assert_eq!((read.issuer, read.account_name), ("Example", "jo@example.com"));
    assert_eq!(read.encode().unwrap(), record);
    let verdict = Totp.verify(&record, &settings(0), "287082", Timestamp::from_unix_seconds(59));
    assert_eq!(verdict, Ok(Verdict::Right(Consumes::MovingFactor(vec![1]))));
    let later = SecretBytes::new([&[2], &record.expose()[1..]].concat());
    let unknown = RecordError::UnknownVersion { found: 2, known: 1 };
    assert_eq!(Totp.provisioning(&later).unwrap_err(), unknown);
}

#[test]
fn nothing_that_is_printed_for_debugging_tells_a_secret() {
    let begun = begun(Parameters::default(), 5);
    let Provisioning::KeyUri { secret_base32, .. } = &begun.provisioning else {
        panic!("no key URI");
    };
    let bytes = format!("{:?}", Record::decode(&begun.record).unwrap().secret);
    let shown = format!("{Totp:?} {:?} {begun:?} {begun:#?}", begin(&[]));
    assert!(shown.contains("[redacted]"));
    for secret in [secret_base32.expose(), bytes.as_str(), "otpauth", "jo@example.com"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
