//! The validation table, and arbitrary input that must never do worse than an
//! error with a proper code.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{Cleanup, Config};

const CONFIG: &str = r#"{"cniVersion":"1.1.0","name":"pods","type":"berth"}"#;

fn environment(changes: &[(&str, Option<&str>)]) -> Environment {
    let mut variables: HashMap<String, OsString> = [
        ("CNI_CONTAINERID", "c1"),
        ("CNI_NETNS", "/run/netns/c1"),
        ("CNI_IFNAME", "eth0"),
        ("CNI_PATH", "/opt/cni/bin:/usr/lib/cni"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.into()))
    .collect();
    for (key, value) in changes {
        match value {
            Some(value) => variables.insert((*key).to_owned(), value.into()),
            None => variables.remove(*key),
        };
    }
    variables.into_iter().collect()
}

#[test]
fn each_verb_needs_its_variables() {
    let all = ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME", "CNI_PATH"];
    for verb in [Verb::Add, Verb::Check, Verb::Del, Verb::Gc, Verb::Status] {
        for key in all {
            for absent in [None, Some("")] {
                let parsed =
                    Request::parse(verb, &environment(&[(key, absent)]), CONFIG.as_bytes());
                if verb.required().contains(&key) {
                    let error = parsed.expect_err(key);
                    assert_eq!(error.code(), 4);
                    assert_eq!(
                        error.to_string(),
                        format!("required env variables [{key}] missing")
                    );
                } else {
                    assert!(parsed.is_ok(), "{verb:?} without {key}: {parsed:?}");
                }
            }
        }
    }
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let without = environment(&[("CNI_CONTAINERID", None), ("CNI_IFNAME", None)]);
    let error = Request::parse(Verb::Del, &without, CONFIG.as_bytes()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "required env variables [CNI_CONTAINERID,CNI_IFNAME] missing"
    );
}

#[test]
fn identifiers_and_interface_names_are_checked() {
    let long = "a".repeat(201);
    let bad_ids = ["-a", ".a", "_a", "a b", "a/b", "ä", &long, "a\n"];
    for id in bad_ids {
        let error = Request::parse(
            Verb::Add,
            &environment(&[("CNI_CONTAINERID", Some(id))]),
            CONFIG.as_bytes(),
        )
        .expect_err(id);
        assert_eq!(error.code(), 4, "{id}");
        assert!(error.to_string().contains("CNI_CONTAINERID"), "{error}");
    }
    for name in [
        ".",
        "..",
        "a/b",
        "a:b",
        "a b",
        "a\tb",
        "sixteen-bytes-xx",
        "a\u{a0}b",
    ] {
        let error = Request::parse(
            Verb::Add,
            &environment(&[("CNI_IFNAME", Some(name))]),
            CONFIG.as_bytes(),
        )
        .expect_err(name);
        assert_eq!(error.code(), 4, "{name}");
        assert!(error.to_string().contains(&format!("{name:?}")), "{error}");
    }
    for (id, name) in [("A-b_c.9", "eth0"), ("0", "fifteen-bytes-x"), ("a", "é")] {
        let good = environment(&[("CNI_CONTAINERID", Some(id)), ("CNI_IFNAME", Some(name))]);
        Request::parse(Verb::Add, &good, CONFIG.as_bytes()).expect(id);
    }
}

#[test]
fn configurations_are_checked_before_the_container() {
    let cases: [(&[u8], u32); 12] = [
        (b"", 6),
        (b"{", 6),
        (b"[]", 6),
        (b"\xff\xfe", 6),
        (br#"{"cniVersion":"1.0.0","name":"a""#, 6),
        (br#"{"cniVersion":"1.0.0"}"#, 7),
        (br#"{"cniVersion":"1.0.0","name":""}"#, 7),
        (br#"{"cniVersion":"1.0.0","name":"a b"}"#, 7),
        (br#"{"cniVersion":"1.0.0","name":7}"#, 7),
        (br#"{"cniVersion":"1.0","name":"a"}"#, 1),
        (br#"{"cniVersion":"2.0.0","name":"a"}"#, 1),
        (br#"{"cniVersion":1,"name":"a"}"#, 6),
    ];
    for (stdin, code) in cases {
        let error = Request::parse(Verb::Add, &environment(&[]), stdin).unwrap_err();
        assert_eq!(
            error.code(),
            code,
            "{} {error}",
            String::from_utf8_lossy(stdin)
        );
    }
    let both_bad = environment(&[("CNI_CONTAINERID", Some("-"))]);
    assert_eq!(
        Request::parse(Verb::Add, &both_bad, b"{}")
            .unwrap_err()
            .code(),
        7
    );
}

#[test]
fn a_verb_is_refused_to_a_configuration_older_than_it() {
    for version in SpecVersion::ALL {
        let config = json!({"cniVersion": version.as_str(), "name": "a"}).to_string();
        for verb in [Verb::Add, Verb::Del, Verb::Check, Verb::Gc, Verb::Status] {
            let parsed = Request::parse(verb, &environment(&[]), config.as_bytes());
            match parsed {
                Ok(request) => {
                    assert!(version >= verb.since(), "{verb:?} at {version}");
                    assert_eq!(request.version, version);
                }
                Err(error) => {
                    assert!(version < verb.since(), "{verb:?} at {version}");
                    assert_eq!(error.code(), 1);
                }
            }
        }
    }
    let without = Request::parse(Verb::Add, &environment(&[]), br#"{"name":"a"}"#).unwrap();
    assert_eq!(without.version, SpecVersion::V0_1_0);
}

#[test]
fn unknown_commands_and_arguments_are_errors_of_the_environment() {
    let bad = environment(&[("CNI_COMMAND", Some("add"))]);
    assert_eq!(bad.verb().unwrap_err().code(), 4);
    assert_eq!(environment(&[]).verb().unwrap(), None);
    let bad = environment(&[("CNI_ARGS", Some("X=1"))]);
    let error = Request::parse(Verb::Add, &bad, CONFIG.as_bytes()).unwrap_err();
    assert_eq!(error.code(), 4);
    assert!(error.to_string().contains("\"X\""), "{error}");
}

#[test]
fn the_override_and_the_path_are_read() {
    let set = environment(&[("CNI_NETNS_OVERRIDE", Some("TRUE")), ("CNI_NETNS", None)]);
    let request = Request::parse(Verb::Del, &set, CONFIG.as_bytes()).unwrap();
    assert!(request.netns_override && request.netns.is_none());
    assert_eq!(
        request.path,
        [PathBuf::from("/opt/cni/bin"), PathBuf::from("/usr/lib/cni")]
    );
}

/// A configuration with the plugin's own keys and values of any kind.
fn any_config() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            "1.1.0",
            "0.2.0",
            "10.0.0.1/24",
            "fd00::1/64",
            "bond",
            "berth-ipam"
        ])
        .prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "cniVersion",
        "name",
        "bridge",
        "port",
        "vlan",
        "trunk",
        "minID",
        "maxID",
        "id",
        "mtu",
        "ipam",
        "type",
        "dns",
        "runtimeConfig",
        "args",
        "cni",
        "mac",
        "prevResult",
        "ips",
        "address",
        "routes",
        "dst",
        "interfaces",
        "interface",
        "ip4",
        "ip",
        "portMappings",
        "stateDir",
        "socket_file",
    ]);
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(|pairs| {
                let pairs = pairs
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value));
                Value::Object(pairs.collect())
            }),
        ]
    })
}

fn check(stdin: &[u8], variables: Vec<(String, OsString)>) -> Result<(), TestCaseError> {
    let environment: Environment = variables.into_iter().collect();
    let _ = environment.verb();
    for verb in Verb::ALL {
        let outcome = Request::parse(verb, &environment, stdin).and_then(|request| {
            Cleanup::parse(&request)?;
            Config::parse(&request)
        });
        if let Err(error) = outcome {
            let json = error.to_json(version_for_errors(stdin));
            let code = json["code"].as_u64().unwrap_or_default();
            prop_assert!([1, 4, 6, 7].contains(&code), "{json}");
            prop_assert!(
                json["msg"].as_str().is_some_and(|msg| !msg.is_empty()),
                "{json}"
            );
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_give_an_error_and_no_panic(stdin in prop::collection::vec(any::<u8>(), 0..200)) {
        check(&stdin, valid())?;
    }

    #[test]
    fn arbitrary_json_gives_an_error_and_no_panic(config in any_config()) {
        check(config.to_string().as_bytes(), valid())?;
    }

    #[test]
    fn arbitrary_configurations_behind_a_valid_name_likewise(mut config in any_config()) {
        if let Value::Object(fields) = &mut config {
            fields.insert("name".into(), json!("pods"));
            fields.insert("cniVersion".into(), json!("1.1.0"));
        }
        check(config.to_string().as_bytes(), valid())?;
    }

    #[test]
    fn arbitrary_environments_likewise(
        id in ".{0,20}", ifname in ".{0,20}", args in "[A-Z=;a-z0-9:]{0,30}", netns in prop::collection::vec(1u8..=255, 0..20),
    ) {
        use std::os::unix::ffi::OsStringExt;
        let mut variables = valid();
        variables.push(("CNI_CONTAINERID".into(), id.into()));
        variables.push(("CNI_IFNAME".into(), OsString::from_vec([ifname.as_bytes(), &netns].concat())));
        variables.push(("CNI_ARGS".into(), args.into()));
        variables.push(("CNI_NETNS".into(), OsString::from_vec(netns)));
        check(CONFIG.as_bytes(), variables)?;
    }
}

fn valid() -> Vec<(String, OsString)> {
    environment(&[]).variables.into_iter().collect()
}
