//! The test vectors of the standards, through the door that everyone uses.

use countersign_core::{SecretBytes, Timestamp};

use super::{Totp, parameters::Algorithm, record::Record};
use crate::{Consumes, Factor as _, FactorSettings, Verdict};

/// No window: a vector is right at its own step or not at all.
const EXACT: FactorSettings = FactorSettings { totp_skew_steps: 0, recovery_code_count: 10 };

fn record(algorithm: Algorithm, digits: u8) -> SecretBytes {
    // The seeds of RFC 6238 appendix A repeat the digits up to the length of the hash (see also erratum 2866).
    let secret: Vec<u8> =
        b"1234567890".iter().copied().cycle().take(algorithm.output_len()).collect();
    let record = Record {
        algorithm,
        digits,
        period_seconds: 30,
        secret: &secret,
        issuer: "Example",
        account_name: "jo",
    };
    record.encode().unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// RFC 6238 appendix B: time, then the codes for SHA-1, SHA-256 and SHA-512.
const RFC_6238_APPENDIX_B: [(i64, u64, [&str; 3]); 6] = [
    (59, 0x1, ["94287082", "46119246", "90693936"]),
    (1_111_111_109, 0x0235_23ec, ["07081804", "68084774", "25091201"]),
    (1_111_111_111, 0x0235_23ed, ["14050471", "67062674", "99943326"]),
    (1_234_567_890, 0x0273_ef07, ["89005924", "91819424", "93441116"]),
    (2_000_000_000, 0x03f9_40aa, ["69279037", "90698825", "38618901"]),
    (20_000_000_000, 0x27bc_86aa, ["65353130", "77737706", "47863826"]),
];

#[test]
fn codes_are_those_of_rfc_6238_appendix_b() {
    for (time, step, codes) in RFC_6238_APPENDIX_B {
        for (algorithm, code) in Algorithm::ALL.into_iter().zip(codes) {
            let verdict = Totp.verify(&record(algorithm, 8), &EXACT, code, at(time));
            let right = Verdict::Right(Consumes::MovingFactor(vec![step]));
            assert_eq!(verdict, Ok(right), "{} at {time}", algorithm.as_str());
        }
    }
}

/// RFC 4226 appendix D: the codes for the counters 0 to 9. TOTP is HOTP with the step for a counter.
const RFC_4226_APPENDIX_D: [&str; 10] = [
    "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
    "520489",
];

#[test]
fn codes_are_those_of_rfc_4226_appendix_d() {
    let record = record(Algorithm::Sha1, 6);
    for (counter, code) in (0_u32..).zip(RFC_4226_APPENDIX_D) {
        let verdict = Totp.verify(&record, &EXACT, code, at(30 * i64::from(counter)));
        let right = Verdict::Right(Consumes::MovingFactor(vec![counter.into()]));
        assert_eq!(verdict, Ok(right), "counter {counter}");
    }
}

#[test]
fn a_code_with_leading_zeros_needs_them_all() {
    let record = record(Algorithm::Sha1, 8);
    assert_eq!(Totp.verify(&record, &EXACT, "7081804", at(1_111_111_109)), Ok(Verdict::Wrong));
    assert_eq!(Totp.verify(&record, &EXACT, "081804", at(1_111_111_109)), Ok(Verdict::Wrong));
}

#[test]
fn a_step_lasts_from_its_first_second_to_its_last() {
    let record = record(Algorithm::Sha1, 6);
    let is_right = |micros| {
        let now = Timestamp::from_unix_micros(micros);
        Totp.verify(&record, &EXACT, "287082", now) != Ok(Verdict::Wrong)
    };
    assert!(!is_right(29_999_999));
    assert!(is_right(30_000_000));
    assert!(is_right(59_999_999));
    assert!(!is_right(60_000_000));
}

#[test]
fn before_the_epoch_there_are_no_steps_but_its_window_may_reach_the_first() {
    let record = record(Algorithm::Sha1, 6);
    let verify = |now| Totp.verify(&record, &FactorSettings::default(), "755224", now).unwrap();
    assert_eq!(verify(at(-1)), Verdict::Right(Consumes::MovingFactor(vec![0])));
    assert_eq!(verify(at(-31)), Verdict::Wrong);
    assert_eq!(verify(Timestamp::from_unix_micros(i64::MIN)), Verdict::Wrong);
    assert_eq!(verify(Timestamp::from_unix_micros(i64::MAX)), Verdict::Wrong);
}
