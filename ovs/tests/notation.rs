//! Properties of the parsers: whatever the pieces, the whole is the same; whatever the bytes, no panic.
//!
//! These are the crate's fuzz targets, run for a bounded number of cases.
#![allow(
    clippy::unwrap_used,
    reason = "a test, also where clippy does not see it as one"
)]

use ovs::Value;
use ovs::frame::{Error, Splitter};
use ovs::row::Row;
use ovs::value::{Atom, Uuid};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value as Json;

/// Reals whose text is exact, so that reading it gives the same number.
fn real() -> impl Strategy<Value = f64> {
    any::<i32>().prop_map(|number| f64::from(number) / 8.0)
}

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        real().prop_map(Json::from),
        // brackets, quotes and backslashes are what a splitter may stumble over
        "[a-z{}\\[\\]\"\\\\ü\\n]{0,12}".prop_map(Json::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Json::from),
            vec(("[a-z{}\"\\\\]{0,6}", inner), 0..6)
                .prop_map(|pairs| Json::Object(pairs.into_iter().collect())),
        ]
    })
}

fn message() -> impl Strategy<Value = Json> {
    vec(("[a-z]{0,6}", json()), 0..6).prop_map(|pairs| Json::Object(pairs.into_iter().collect()))
}

/// Cuts the bytes at the given places, whatever their order.
fn pieces<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    places
        .windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

fn atom() -> impl Strategy<Value = Atom> {
    prop_oneof![
        any::<i64>().prop_map(Atom::Integer),
        real().prop_map(Atom::Real),
        any::<bool>().prop_map(Atom::Boolean),
        ".{0,12}".prop_map(Atom::String),
        any::<u128>().prop_map(|bits| Atom::Uuid(Uuid(bits))),
        "[a-z_][a-z0-9_]{0,8}".prop_map(Atom::NamedUuid),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        vec(atom(), 0..5).prop_map(Value::Set),
        vec((atom(), atom()), 0..5).prop_map(Value::Map),
    ]
}

/// A change to one byte, or the end.
#[derive(Clone, Debug)]
enum Damage {
    Cut(prop::sample::Index),
    Byte(prop::sample::Index, u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        any::<prop::sample::Index>().prop_map(Damage::Cut),
        (any::<prop::sample::Index>(), any::<u8>())
            .prop_map(|(place, byte)| Damage::Byte(place, byte)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn messages_come_out_as_they_went_in(
        messages in vec((message(), "[ \n\t]{0,3}"), 0..5),
        cuts in vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let stream: String = messages.iter().map(|(message, blank)| format!("{message}{blank}")).collect();
        let mut splitter = Splitter::new();
        let mut found = Vec::new();
        for piece in pieces(stream.as_bytes(), &cuts) {
            splitter.push(piece);
            while let Some(bytes) = splitter.next_message().unwrap() {
                found.push(serde_json::from_slice::<Json>(bytes).unwrap());
            }
        }
        let sent: Vec<Json> = messages.into_iter().map(|(message, _)| message).collect();
        prop_assert_eq!(found, sent);
        prop_assert!(splitter.is_between_messages());
    }

    #[test]
    fn any_bytes_give_messages_or_an_error_and_where_they_are_cut_does_not_matter(
        bytes in vec(prop_oneof![proptest::sample::select(b"{}[]\"\\ :,1".to_vec()), any::<u8>()], 0..80),
        cuts in vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let split = |pieces: Vec<&[u8]>| {
            let mut splitter = Splitter::with_longest(64);
            let mut found: Vec<Result<Vec<u8>, Error>> = Vec::new();
            for piece in pieces {
                splitter.push(piece);
                loop {
                    match splitter.next_message() {
                        Ok(Some(message)) => found.push(Ok(message.to_vec())),
                        Ok(None) => break,
                        Err(error) => {
                            // an error is for good
                            assert_eq!(splitter.next_message(), Err(error.clone()));
                            found.push(Err(error));
                            return found;
                        }
                    }
                }
            }
            found
        };
        prop_assert_eq!(split(vec![&bytes]), split(pieces(&bytes, &cuts)));
    }

    #[test]
    fn a_damaged_message_never_passes_for_longer_than_it_is(
        message in message(),
        damage in damage(),
    ) {
        let mut bytes = message.to_string().into_bytes();
        match damage {
            Damage::Cut(place) => bytes.truncate(place.index(bytes.len())),
            Damage::Byte(place, byte) => {
                let place = place.index(bytes.len());
                bytes[place] = byte;
            }
        }
        let mut splitter = Splitter::new();
        splitter.push(&bytes);
        match splitter.next_message() {
            Ok(Some(found)) => prop_assert!(bytes.starts_with(found) || bytes.trim_ascii_start().starts_with(found)),
            // cut short: more may come, and the end here is seen
            Ok(None) => prop_assert!(bytes.trim_ascii().is_empty() || !splitter.is_between_messages()),
            Err(error) => prop_assert!(error.to_string().contains("offset"), "{}", error),
        }
    }

    #[test]
    fn values_make_the_round_trip(value in value()) {
        let text = value.to_json().to_string();
        prop_assert_eq!(Value::from_json(&serde_json::from_str(&text).unwrap()).unwrap(), value);
    }

    #[test]
    fn a_set_of_one_is_its_element(atom in atom()) {
        let tagged = serde_json::json!(["set", [atom.to_json()]]);
        prop_assert_eq!(Value::from_json(&tagged).unwrap(), Value::from_json(&atom.to_json()).unwrap());
    }

    #[test]
    fn any_json_is_a_value_or_an_error_that_shows_it(json in json()) {
        if let Err(error) = Value::from_json(&json) {
            prop_assert!(error.to_string().len() < 200, "{}", error);
            prop_assert!(error.to_string().contains("is not"), "{}", error);
        }
    }

    #[test]
    fn any_row_is_read_or_refused_by_its_column(json in json()) {
        let mut columns = serde_json::Map::new();
        columns.insert("column".to_owned(), json);
        let row = Row::new("Table", Json::Object(columns)).unwrap();
        let errors = [
            row.string("column").err(),
            row.optional_integer::<u16>("column").err(),
            row.optional_boolean("column").err(),
            row.uuid("column").err(),
            row.strings("column").err(),
            row.integers::<u32>("column").err(),
            row.string_map("column").err(),
        ];
        for error in errors.into_iter().flatten() {
            prop_assert!(error.to_string().starts_with("OVSDB value of Table.column is "), "{}", error);
        }
        prop_assert!(row.string("other").unwrap_err().to_string().contains("is absent"));
    }

    #[test]
    fn uuids_make_the_round_trip(bits in any::<u128>()) {
        let uuid = Uuid(bits);
        prop_assert_eq!(uuid.to_string().parse::<Uuid>().unwrap(), uuid);
    }

    #[test]
    fn any_text_is_a_uuid_or_an_error(text in "[0-9a-f-]{30,40}") {
        match text.parse::<Uuid>() {
            Ok(uuid) => prop_assert_eq!(uuid.to_string(), text),
            Err(error) => prop_assert!(error.to_string().contains(&text)),
        }
    }
}

#[test]
fn a_message_beyond_the_limit_is_an_error_before_it_ends() {
    let mut splitter = Splitter::with_longest(10);
    splitter.push(b"{\"a\":12}  {\"a\":123456");
    assert!(splitter.next_message().unwrap().is_some());
    assert_eq!(splitter.next_message(), Err(Error::TooLong { limit: 10 }));
}

#[test]
fn nesting_up_to_the_limit_is_taken() {
    let nested =
        |depth: usize| format!("{}{}", "{\"a\":".repeat(depth - 1) + "{", "}".repeat(depth));
    let mut splitter = Splitter::new();
    splitter.push(nested(Splitter::DEEPEST).as_bytes());
    let message = splitter.next_message().unwrap().unwrap();
    serde_json::from_slice::<Json>(message).unwrap();
    splitter.push(nested(Splitter::DEEPEST + 1).as_bytes());
    assert!(matches!(
        splitter.next_message(),
        Err(Error::TooDeep { .. })
    ));
}

#[test]
fn integers_beyond_64_bits_are_refused() {
    let huge: Json = serde_json::from_str("18446744073709551615").unwrap();
    assert!(Value::from_json(&huge).is_err());
}
