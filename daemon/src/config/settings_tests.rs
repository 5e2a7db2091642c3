//! Precedence and refusals of the settings.

use super::*;

fn layer(origin: &Origin, values: &[(&str, &str)]) -> Layer {
    let mut layer = Layer::default();
    for (key, value) in values {
        let field = by_key(key).expect("known key");
        layer.give(field, (*value).to_owned(), origin.clone());
    }
    layer
}

fn resolve(layers: &[&Layer]) -> Result<Settings, ConfigError> {
    Settings::resolve(layers, || "Host-A".to_owned())
}

#[test]
fn nothing_given_is_the_documented_default() {
    let settings = resolve(&[]).expect("defaults are valid");
    assert_eq!(settings.node_name, "host-a");
    assert_eq!(settings.services, Services::None);
    assert_eq!(settings.state_dir, PathBuf::from("/run/berth"));
    assert_eq!(settings.bpf_dir, PathBuf::from("/sys/fs/bpf/berth"));
    assert_eq!(settings.ovsdb, PathBuf::from("/run/openvswitch/db.sock"));
    assert_eq!(settings.healthz, "0.0.0.0:10256".parse().ok());
    assert_eq!(settings.metrics, "127.0.0.1:10249".parse().ok());
    assert_eq!(settings.pod_routes, PodRoutes::None);
}

#[test]
fn flag_wins_over_environment_over_file_over_default() {
    let flag = layer(&Origin::Flag, &[("node-name", "flag")]);
    let environment = Layer::from_environment(|name| match name {
        "BERTH_NODE_NAME" => Some("environment".to_owned()),
        "BERTH_STATE_DIR" => Some("/environment".to_owned()),
        "BERTH_OVSDB" => Some(String::new()),
        _ => None,
    });
    let file = layer(
        &Origin::File(PathBuf::from("/etc/berth.toml")),
        &[
            ("node-name", "file"),
            ("state-dir", "/file"),
            ("bpf-dir", "/file"),
        ],
    );
    let settings = resolve(&[&flag, &environment, &file]).expect("valid");
    assert_eq!(settings.node_name, "flag");
    assert_eq!(settings.state_dir, PathBuf::from("/environment"));
    assert_eq!(settings.bpf_dir, PathBuf::from("/file"));
    assert_eq!(settings.ovsdb, PathBuf::from("/run/openvswitch/db.sock"));
}

#[test]
fn a_refusal_names_field_value_and_source() {
    let file = Origin::File(PathBuf::from("/etc/berth.toml"));
    let rows: &[(&str, &str, Origin, &str)] = &[
        (
            "services",
            "kubernetes",
            Origin::Flag,
            "services \"kubernetes\" (from the command line): the kubernetes source is not available yet, only none and dir:PATH are",
        ),
        (
            "services",
            "dir:m",
            Origin::Environment("BERTH_SERVICES"),
            "services \"dir:m\" (from environment variable BERTH_SERVICES): must be an absolute path",
        ),
        (
            "cgroup",
            "unified",
            Origin::Flag,
            "cgroup \"unified\" (from the command line): must be an absolute path",
        ),
        (
            "nodeport-addresses",
            "10.0.0.0/8,first",
            Origin::Flag,
            "nodeport-addresses \"10.0.0.0/8,first\" (from the command line): \"first\" is not a CIDR, and not primary",
        ),
        (
            "state-dir",
            "run",
            file.clone(),
            "state-dir \"run\" (from file /etc/berth.toml): must be an absolute path",
        ),
        (
            "healthz",
            "x",
            Origin::Flag,
            "healthz \"x\" (from the command line): must be ADDRESS:PORT, [ADDRESS]:PORT or none",
        ),
        (
            "pod-routes",
            "flannel",
            file,
            "pod-routes \"flannel\" (from file /etc/berth.toml): this mode is not available yet, only none is",
        ),
        (
            "resync",
            "0",
            Origin::Flag,
            "resync \"0\" (from the command line): must be a number of seconds from 1 to 86400",
        ),
    ];
    for (key, value, origin, expected) in rows {
        let layer = layer(origin, &[(key, value)]);
        let error = resolve(&[&layer]).expect_err("must be refused");
        assert_eq!(error.to_string(), *expected);
    }
}

#[test]
fn a_host_name_that_is_no_node_name_is_refused_as_the_default() {
    let error = Settings::resolve(&[], || "(none)".to_owned()).expect_err("must be refused");
    assert!(
        error
            .to_string()
            .starts_with("node-name \"(none)\" (default)"),
        "{error}"
    );
}
