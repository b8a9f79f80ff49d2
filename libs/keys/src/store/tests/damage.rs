//! A torn end is cut; damage is refused and named.

use super::*;

const SLOT: usize = SLOT_LEN;

fn refusal(fixture: &Fixture) -> String {
    match fixture.try_open() {
        Err(OpenError::Damaged(problem)) => problem.to_string(),
        other => panic!("expected damage, got {other:?}"),
    }
}

#[test]
fn a_file_cut_anywhere_in_its_last_slot_opens_without_it() {
    let fixture = Fixture::new();
    let store = fixture.with_keys(&[user(1), user(2), user(3)]);
    let keys = [1, 2].map(|number| fixture.find(&store, user(number)));
    drop(store);
    let whole = fixture.file();
    for length in whole.len() - SLOT..whole.len() {
        fs::write(fixture.path(), &whole[..length]).unwrap();
        let store = fixture.open();
        assert_eq!([1, 2].map(|number| fixture.find(&store, user(number))), keys);
        assert_eq!(fixture.find(&store, user(3)), Seen::Nothing);
        assert_eq!(fixture.file().len(), whole.len() - SLOT);
        // And the place is used again.
        store.create(&fixture.tenant, user(3)).unwrap();
        assert_eq!(fixture.file().len(), whole.len());
    }
}

#[test]
fn a_last_slot_of_which_only_the_beginning_reached_the_disk_is_cut() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1), user(2)]));
    let whole = fixture.file();
    for written in 0..SLOT {
        let mut torn = whole.clone();
        torn[2 * SLOT + written..].fill(0);
        fs::write(fixture.path(), &torn).unwrap();
        let store = fixture.open();
        assert!(matches!(fixture.find(&store, user(1)), Seen::Key(_)));
        assert_eq!(fixture.find(&store, user(2)), Seen::Nothing);
    }
}

#[test]
fn a_flipped_bit_in_any_slot_is_refused_and_the_slot_named() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1), user(2), user(3)]));
    let whole = fixture.file();
    for slot in 0..3 {
        for byte in 0..SLOT {
            fixture.flip_bit((SLOT * (slot + 1) + byte) as u64);
            let damaged = fixture.file();
            assert!(refusal(&fixture).contains(&format!("slot {slot} ")), "byte {byte}");
            assert_eq!(fixture.file(), damaged, "nothing is changed");
            fs::write(fixture.path(), &whole).unwrap();
        }
    }
}

#[test]
fn a_hole_before_an_acknowledged_slot_is_damage() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1), user(2), user(3)]));
    let mut holed = fixture.file();
    holed[2 * SLOT..3 * SLOT].fill(0);
    fs::write(fixture.path(), &holed).unwrap();
    assert!(refusal(&fixture).contains("slot 1 "));
}

#[test]
fn two_slots_of_one_user_are_damage() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1), user(2)]));
    let mut doubled = fixture.file();
    doubled.extend_from_within(SLOT..2 * SLOT);
    fs::write(fixture.path(), &doubled).unwrap();
    assert!(refusal(&fixture).contains("slot 2 "));
}

#[test]
fn a_key_in_another_users_slot_does_not_open() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1), user(2)]));
    let bytes = fixture.file();
    let mut parsed = [1, 2].map(|slot| {
        Slot::parse(bytes[slot * SLOT..(slot + 1) * SLOT].try_into().unwrap()).unwrap()
    });
    let [first, second] = &mut parsed;
    std::mem::swap(&mut first.content, &mut second.content);
    let swapped = [&bytes[..SLOT], &first.encode(), &second.encode()].concat();
    fs::write(fixture.path(), swapped).unwrap();
    let store = fixture.open();
    for number in [1, 2] {
        assert!(matches!(store.find(&fixture.tenant, user(number)), Err(VaultError::Damaged(_))));
    }
}

#[test]
fn a_header_that_is_damaged_or_newer_is_refused() {
    let fixture = Fixture::new();
    drop(fixture.with_keys(&[user(1)]));
    let whole = fixture.file();
    for byte in 0..32 {
        fixture.flip_bit(byte);
        refusal(&fixture);
        fs::write(fixture.path(), &whole).unwrap();
    }
    let mut newer = whole;
    newer[8] = 3;
    let checksum = crc32c::crc32c(&newer[..28]).to_le_bytes();
    newer[28..32].copy_from_slice(&checksum);
    fs::write(fixture.path(), newer).unwrap();
    assert!(matches!(fixture.try_open(), Err(OpenError::Format { found: 3, known: 2, .. })));
}
