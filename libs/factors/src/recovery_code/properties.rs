//! What holds for every set and every answer.

use countersign_core::{SecretBytes, Timestamp};
use proptest::prelude::*;

use super::RecoveryCode;
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, EnrollmentError, Factor as _, FactorSettings,
    Provisioning, RecordError, Verdict,
    fixtures::{Seeded, begin, damaged},
    look_up::Cost,
};

const CHEAP: RecoveryCode = RecoveryCode { cost: Cost::CHEAP };

fn begun(count: u32, seed: u64) -> BegunEnrollment {
    let begin = begin(&[("count", &count.to_string())]);
    CHEAP.begin_enrollment(&begin, &Seeded::new(seed)).unwrap()
}

fn codes(begun: &BegunEnrollment) -> Vec<&str> {
    let Provisioning::Codes(codes) = &begun.provisioning else { panic!("no codes") };
    codes.iter().map(|code| code.expose()).collect()
}

fn verify(record: &SecretBytes, code: &str) -> Result<Verdict, RecordError> {
    // The registered factor reads any set, whatever it cost to make.
    RecoveryCode::STANDARD.verify(record, &FactorSettings::default(), code, Timestamp::EPOCH)
}

fn right(index: usize) -> Result<Verdict, RecordError> {
    Ok(Verdict::Right(Consumes::Code { index: u32::try_from(index).unwrap() }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn every_code_is_right_in_its_own_set_at_its_own_place(
        count in 4_u32..=20,
        seed in any::<u64>(),
    ) {
        let (own, other) = (begun(count, seed), begun(count, seed.wrapping_add(1)));
        prop_assert_eq!(codes(&own).len(), usize::try_from(count).unwrap());
        for (index, code) in codes(&own).into_iter().enumerate() {
            prop_assert!(CHEAP.recognises(code));
            prop_assert_eq!(verify(&own.record, code), right(index));
            let copied = code.to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
            prop_assert_eq!(verify(&own.record, &copied), right(index));
            prop_assert_eq!(verify(&other.record, code), Ok(Verdict::Wrong));
        }
    }

    #[test]
    fn nothing_that_is_typed_or_stored_makes_it_panic(
        record in prop::collection::vec(any::<u8>(), 0..120),
        has_the_version in any::<bool>(),
        code in any::<String>(),
        asked in prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        count in any::<String>(),
    ) {
        let mut record = record;
        if let Some(version) = record.first_mut().filter(|_| has_the_version) {
            *version = 1;
        }
        let record = SecretBytes::new(record);
        let own = begun(4, 1).record;
        prop_assert_eq!(verify(&record, &code).is_ok(), CHEAP.provisioning(&record).is_ok());
        prop_assert_eq!(verify(&own, &code), Ok(Verdict::Wrong));
        prop_assert!(!CHEAP.recognises(&code) || code.len() >= 13);
        for parameters in [asked, [("count".to_owned(), count)].into()] {
            let begin = BeginEnrollment { parameters, ..begin(&[]) };
            let is_default = begin.parameters.is_empty();
            prop_assert!(is_default || CHEAP.begin_enrollment(&begin, &Seeded::new(1)).is_err());
        }
    }
}

#[test]
fn a_set_has_ten_codes_unless_another_number_within_bounds_is_asked_for() {
    let count = |asked: &[(&str, &str)]| {
        let begun = CHEAP.begin_enrollment(&begin(asked), &Seeded::new(1))?;
        assert_eq!(begun.parameters["count"], codes(&begun).len().to_string());
        Ok::<_, EnrollmentError>(codes(&begun).len())
    };
    assert_eq!(count(&[]), Ok(10));
    assert_eq!(count(&[("count", "4")]), Ok(4));
    assert_eq!(count(&[("count", "20")]), Ok(20));
    for unfit in ["3", "21", "", "ten", "-4", "99999999999"] {
        let refused = count(&[("count", unfit)]).unwrap_err();
        assert_eq!(refused.to_string(), "recovery_code.count: must be 4 to 20");
    }
    let refused = count(&[("length", "13")]).unwrap_err();
    assert_eq!(refused.to_string(), "recovery_code has no such parameter; it has count");
}

#[test]
fn no_two_codes_of_a_set_are_the_same_and_no_two_sets_share_a_salt() {
    let mut seen: Vec<_> = (0..20).map(|seed| begun(20, seed)).collect();
    let mut all: Vec<_> = seen.iter().flat_map(codes).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 400);
    // Version, three numbers and the length of the salt come before it.
    seen.sort_unstable_by(|a, b| a.record.expose()[5..21].cmp(&b.record.expose()[5..21]));
    seen.dedup_by(|a, b| a.record.expose()[5..21] == b.record.expose()[5..21]);
    assert_eq!(seen.len(), 20);
}

#[test]
fn codes_are_never_shown_again_and_confirm_nothing() {
    let begun = begun(4, 1);
    assert!(matches!(CHEAP.provisioning(&begun.record), Ok(Provisioning::Nothing)));
    let settings = FactorSettings::default();
    let code = codes(&begun)[0];
    let verdict = CHEAP.confirm_enrollment(&begun.record, &settings, code, Timestamp::EPOCH);
    assert_eq!(verdict, Ok(Verdict::Wrong));
}

#[test]
fn a_damaged_record_is_refused_or_knows_no_right_code() {
    let begun = begun(4, 3);
    let code = codes(&begun)[0];
    // Version, cost, salt and the first hash with their lengths: all that this code is judged by.
    let judged_by = 1 + 3 + (1 + 16) + 2 + 32;
    for at in 0..begun.record.expose().len() {
        for bit in 0..8 {
            let [flipped, cut] = damaged(&begun.record, at, bit);
            let verdict = verify(&flipped, code);
            if at < judged_by {
                assert!(!matches!(verdict, Ok(Verdict::Right(_))), "bit {bit} of byte {at}");
            } else {
                assert_eq!(verdict, right(0));
            }
            assert!(verify(&cut, code).is_err(), "cut at {at}");
        }
    }
}

#[test]
fn nothing_that_is_printed_for_debugging_tells_a_secret() {
    let begun = begun(4, 5);
    let shown = format!("{CHEAP:?} {:?} {begun:?} {begun:#?}", begin(&[]));
    assert!(shown.contains("[redacted]"));
    for code in codes(&begun) {
        assert!(!shown.contains(code) && !shown.contains(&code.replace('-', "")), "{shown}");
    }
}
