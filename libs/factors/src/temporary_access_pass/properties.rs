//! What holds for every pass and every answer.

use std::time::Duration;

use countersign_core::{SecretBytes, Timestamp};
use proptest::prelude::*;

use super::TemporaryAccessPass;
use crate::{
    BeginEnrollment, BegunEnrollment, Consumes, Factor as _, FactorSettings, Provisioning,
    RecordError, Verdict,
    fixtures::{Seeded, begin, damaged},
    look_up::Cost,
};

const CHEAP: TemporaryAccessPass = TemporaryAccessPass { cost: Cost::CHEAP };

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

/// A pass from `start` for `seconds`.
fn begun(start: i64, seconds: i64, single_use: bool, seed: u64) -> BegunEnrollment {
    let begin = begin(&[
        ("starts_at", &at(start).to_string()),
        ("ends_at", &at(start + seconds).to_string()),
        ("single_use", &single_use.to_string()),
    ]);
    CHEAP.begin_enrollment(&begin, &Seeded::new(seed)).unwrap()
}

fn code(begun: &BegunEnrollment) -> &str {
    let Provisioning::Codes(codes) = &begun.provisioning else { panic!("no code") };
    let [code] = codes.as_slice() else { panic!("a pass has one code") };
    code.expose()
}

fn verify(record: &SecretBytes, code: &str, now: Timestamp) -> Result<Verdict, RecordError> {
    // The registered factor reads any pass, whatever it cost to make.
    TemporaryAccessPass::STANDARD.verify(record, &FactorSettings::default(), code, now)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_code_is_right_for_its_own_pass_between_start_and_end_and_at_no_other_time(
        start in -1_000_000_000_i64..4_000_000_000,
        seconds in 1_i64..1_000_000,
        single_use in any::<bool>(),
        seed in any::<u64>(),
        micros in any::<i64>(),
    ) {
        let own = begun(start, seconds, single_use, seed);
        let other = begun(start, seconds, single_use, seed.wrapping_add(1));
        let consumes = if single_use { Consumes::Code { index: 0 } } else { Consumes::Nothing };
        let right = Ok(Verdict::Right(consumes));
        let copied = code(&own).to_lowercase().replace('-', " ").replace('0', "o").replace('1', "l");
        let end = at(start + seconds);
        let last = Timestamp::from_unix_micros(end.unix_micros() - 1);
        for now in [at(start), last] {
            prop_assert_eq!(verify(&own.record, code(&own), now), right.clone());
            prop_assert_eq!(verify(&own.record, &copied, now), right.clone());
            prop_assert_eq!(verify(&own.record, code(&other), now), Ok(Verdict::Wrong));
        }
        let before = Timestamp::from_unix_micros(at(start).unix_micros() - 1);
        let some = Timestamp::from_unix_micros(micros);
        let outside = (some < at(start) || some >= end).then_some(some);
        for now in [before, end, end.plus(Duration::MAX)].into_iter().chain(outside) {
            prop_assert_eq!(verify(&own.record, code(&own), now), Ok(Verdict::Wrong));
        }
    }

    #[test]
    fn nothing_that_is_typed_or_stored_makes_it_panic(
        record in prop::collection::vec(any::<u8>(), 0..120),
        has_the_version in any::<bool>(),
        code in any::<String>(),
        asked in prop::collection::btree_map(any::<String>(), any::<String>(), 0..3),
        now in any::<i64>(),
    ) {
        let mut record = record;
        if let Some(version) = record.first_mut().filter(|_| has_the_version) {
            *version = 1;
        }
        let (record, now) = (SecretBytes::new(record), Timestamp::from_unix_micros(now));
        prop_assert_eq!(verify(&record, &code, now).is_ok(), CHEAP.provisioning(&record).is_ok());
        let own = begun(0, 10, true, 1).record;
        prop_assert_eq!(verify(&own, &code, at(5)), Ok(Verdict::Wrong));
        prop_assert!(!CHEAP.recognises(&code) || code.len() >= 12);
        let begin = BeginEnrollment { parameters: asked, ..begin(&[]) };
        prop_assert!(CHEAP.begin_enrollment(&begin, &Seeded::new(1)).is_err());
    }
}

#[test]
fn a_code_has_three_groups_of_four_without_symbols_that_are_mistaken_for_others() {
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let begun = begun(0, 10, true, seed);
        let code = code(&begun);
        let groups: Vec<_> = code.split('-').map(str::len).collect();
        assert_eq!(groups, [4, 4, 4], "{code}");
        assert!(!code.contains(['I', 'L', 'O', 'U']), "{code}");
        assert!(CHEAP.recognises(code));
        seen.insert(code.to_owned());
    }
    assert_eq!(seen.len(), 200);
}

#[test]
fn when_it_opens_must_be_said_and_make_sense() {
    let (early, late) = ("2026-01-31T09:00:00Z", "2026-01-31T10:00:00Z");
    let whole = [("starts_at", early), ("ends_at", late), ("single_use", "true")];
    let with = |name: &str, value: &'static str| {
        let given = whole.map(|(known, own)| (known, if known == name { value } else { own }));
        CHEAP.begin_enrollment(&begin(&given), &Seeded::new(1)).map(|begun| begun.parameters)
    };
    let told = with("single_use", "false").unwrap();
    assert_eq!(told["starts_at"], early);
    assert_eq!(told["ends_at"], late);
    assert_eq!(told["single_use"], "false");
    let refused = |name, value| with(name, value).unwrap_err().to_string();
    assert_eq!(refused("ends_at", early), "ends_at: must be after starts_at");
    assert_eq!(refused("starts_at", "now"), "starts_at: must be an instant by RFC 3339");
    assert_eq!(refused("single_use", "1"), "single_use: must be true or false");
    for left_out in 0..3 {
        let given: Vec<_> = (0..3).filter(|n| *n != left_out).map(|n| whole[n]).collect();
        let refused = CHEAP.begin_enrollment(&begin(&given), &Seeded::new(1)).unwrap_err();
        assert!(refused.to_string().starts_with(whole[left_out].0), "{refused}");
    }
    let more = begin(&[whole[0], whole[1], whole[2], ("uses", "3")]);
    let refused = CHEAP.begin_enrollment(&more, &Seeded::new(1)).unwrap_err();
    assert!(refused.to_string().contains("no such parameter"), "{refused}");
}

#[test]
fn a_code_is_never_shown_again_and_confirms_nothing() {
    let begun = begun(0, 10, true, 1);
    assert!(matches!(CHEAP.provisioning(&begun.record), Ok(Provisioning::Nothing)));
    let settings = FactorSettings::default();
    let verdict = CHEAP.confirm_enrollment(&begun.record, &settings, code(&begun), at(5));
    assert_eq!(verdict, Ok(Verdict::Wrong));
}

#[test]
fn a_damaged_record_is_refused_or_opens_only_while_it_says() {
    let begun = begun(0, 10, true, 3);
    // Version and cost; two instants, of which only what they say can be changed; whether it is used once.
    let says_when = 4..4 + 1 + 4 + 1;
    for place in 0..begun.record.expose().len() {
        for bit in 0..8 {
            let [flipped, cut] = damaged(&begun.record, place, bit);
            let verdict = verify(&flipped, code(&begun), at(5));
            let is_right = matches!(verdict, Ok(Verdict::Right(_)));
            assert!(!is_right || says_when.contains(&place), "bit {bit} of byte {place}");
            assert!(verify(&cut, code(&begun), at(5)).is_err(), "cut at {place}");
        }
    }
}

#[test]
fn nothing_that_is_printed_for_debugging_tells_a_secret() {
    let begun = begun(0, 10, true, 5);
    let shown = format!("{CHEAP:?} {:?} {begun:?} {begun:#?}", begin(&[]));
    assert!(shown.contains("[redacted]"));
    let code = code(&begun);
    assert!(!shown.contains(code) && !shown.contains(&code.replace('-', "")), "{shown}");
}
