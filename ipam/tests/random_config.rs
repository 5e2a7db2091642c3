//! Arbitrary input to the configuration parser: it never panics, and whatever it refuses
//! it names.

#![allow(
    clippy::unwrap_used,
    reason = "a test fails by panicking, its own functions included"
)]

use ipam::{Config, ConfigError};
use proptest::prelude::*;
use serde_json::{Value, json};

const KEYS: [&str; 16] = [
    "ipam",
    "subnet",
    "rangeStart",
    "rangeEnd",
    "gateway",
    "ranges",
    "routes",
    "dst",
    "gw",
    "mtu",
    "dataDir",
    "resolvConf",
    "runtimeConfig",
    "ips",
    "ipRanges",
    "args",
];
const STRINGS: [&str; 14] = [
    "",
    "10.1.2.0/24",
    "10.1.2.0",
    "10.1.2.255",
    "10.1.2.0/31",
    "0.0.0.0/0",
    "255.255.255.255/32",
    "2001:db8::/64",
    "::/0",
    "::",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/126",
    "::ffff:10.0.0.0/120",
    "10.1.2.3/99",
    "fe80::1%eth0",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(&STRINGS[..]).prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::vec((proptest::sample::select(&KEYS[..]), inner), 0..6).prop_map(
                |members| members
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()
            ),
        ]
    })
}

fn valid() -> Value {
    json!({
        "cniVersion": "1.0.0", "name": "net", "type": "berth",
        "runtimeConfig": {"ipRanges": [[{"subnet": "10.9.0.0/16"}]], "ips": ["10.9.0.5/16"]},
        "args": {"cni": {"ips": ["10.1.2.9"]}},
        "ipam": {
            "type": "host-local", "subnet": "10.1.2.0/24", "rangeStart": "10.1.2.9", "rangeEnd": "10.1.2.20",
            "gateway": "10.1.2.30", "dataDir": "/d", "resolvConf": "/r",
            "ranges": [[{"subnet": "10.2.0.0/24"}, {"subnet": "10.3.0.0/24"}], [{"subnet": "2001:db8::/64"}]],
            "routes": [{"dst": "0.0.0.0/0", "gw": "10.1.2.30", "mtu": 1400, "priority": 5, "table": 0}],
        },
    })
}

/// JSON pointers of everything inside.
fn pointers(value: &Value, prefix: &str, all: &mut Vec<String>) {
    all.push(prefix.to_owned());
    match value {
        Value::Object(members) => members
            .iter()
            .for_each(|(key, value)| pointers(value, &format!("{prefix}/{key}"), all)),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .for_each(|(at, value)| pointers(value, &format!("{prefix}/{at}"), all)),
        _ => {}
    }
}

/// What the configuration holds at `ipam.ranges[0][1].subnet`.
fn at_key<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    if key == "configuration" {
        return Some(value);
    }
    value.pointer(&format!(
        "/{}",
        key.replace(['.', '['], "/").replace(']', "")
    ))
}

fn assert_names_its_cause(network: &Value, error: &ConfigError) -> Result<(), TestCaseError> {
    let message = error.to_string();
    prop_assert!(
        !message.contains('\n') && message.len() < 1000,
        "{}",
        message
    );
    match error {
        ConfigError::Invalid { key, value, .. } => {
            let there = at_key(network, key);
            prop_assert!(
                there.is_some_and(|there| there
                    .to_string()
                    .starts_with(value.trim_end_matches('…'))),
                "{}",
                message
            );
            prop_assert!(
                message.starts_with(&format!("{key}: {value} is not ")),
                "{}",
                message
            );
        }
        ConfigError::Missing { key } => {
            prop_assert!(
                at_key(network, key).is_none_or(Value::is_null),
                "{}",
                message
            );
            prop_assert!(message.starts_with(key.as_str()), "{}", message);
        }
        ConfigError::Range { key, .. } => {
            prop_assert!(at_key(network, key).is_some(), "{}", message);
            prop_assert!(message.starts_with(&format!("{key}: ")), "{}", message);
        }
        ConfigError::SetsOverlap {
            first_key,
            second_key,
            ..
        } => {
            prop_assert!(
                message.contains(first_key.as_str()) && message.contains(second_key.as_str())
            );
        }
        ConfigError::NoRanges => prop_assert!(message.contains("ipam")),
        ConfigError::TooManyAddresses { .. } => prop_assert!(message.contains("cniVersion")),
        other => prop_assert!(false, "{} cannot come of this", other),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_documents(network in value()) {
        if let Err(error) = Config::parse("net", &network, "") {
            assert_names_its_cause(&network, &error)?;
        }
        let _ = ipam::Store::of_network("net", &network);
    }

    #[test]
    fn a_valid_document_with_one_value_replaced(pick in any::<proptest::sample::Index>(), replacement in value()) {
        let mut network = valid();
        let mut all = Vec::new();
        pointers(&network, "", &mut all);
        *network.pointer_mut(pick.get::<String>(&all)).unwrap() = replacement;
        match Config::parse("net", &network, "") {
            Ok(config) => prop_assert!(!config.range_sets.is_empty()),
            Err(error) => assert_names_its_cause(&network, &error)?,
        }
    }

    #[test]
    fn arbitrary_arguments(args in prop_oneof![".{0,40}", "(IP|IgnoreUnknown|K8S_X|)(=|==|)(1|10.0.0.1|10.0.0.1/8|x|)(;|)(IgnoreUnknown=1|;|)"]) {
        match Config::parse("net", &valid(), &args) {
            Ok(config) => prop_assert!(config.requested.len() >= 2),
            Err(error) => {
                let message = error.to_string();
                prop_assert!(message.starts_with("CNI_ARGS: "), "{}", message);
            }
        }
    }

    #[test]
    fn arbitrary_names(name in ".{0,12}") {
        match Config::parse(&name, &valid(), "") {
            Ok(config) => {
                let directory = config.store().directory().to_owned();
                prop_assert_eq!(directory.parent(), Some(std::path::Path::new("/d")));
                prop_assert_eq!(directory.file_name().and_then(|name| name.to_str()), Some(name.as_str()));
            }
            Err(error) => prop_assert_eq!(error, ConfigError::Name { name }),
        }
    }
}

#[test]
fn the_document_that_is_mutated_is_valid() {
    let config = Config::parse("net", &valid(), "").unwrap();
    assert_eq!(config.range_sets.len(), 4);
    assert_eq!(config.requested.len(), 2);
}
