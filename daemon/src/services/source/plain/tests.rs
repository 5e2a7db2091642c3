use super::*;

/// What the parser of all of YAML says.
fn whole(text: &str) -> Option<Value> {
    serde_saphyr::from_str(text).ok()
}

const PRINTED: &str = r#"apiVersion: v1
kind: Service
metadata:
  annotations:
    note: "a: b # c"
    other: 'it is {so}'
    empty: ""
  creationTimestamp: "2026-01-02T03:04:05Z"
  labels:
    app.kubernetes.io/name: web
  name: web
  resourceVersion: "123"
  uid: 5d2cf9c0-3a3b-4f6e-8d1f-000000000001
# a comment
spec:
  clusterIP: 10.96.0.7
  clusterIPs:
  - 10.96.0.7
  - fd00:96::7
  - 2001:db8::1
  ports:
  - name: http
    port: 80

    protocol: TCP
  -
    port: 81
  publishNotReadyAddresses: true
  selector: {}
  externalIPs: []
  type: ClusterIP
  nothing:
  nested:
    - a: 1
      b:
        - c
    - d
status:
  loadBalancer: {}
"#;

#[test]
fn what_kubectl_prints_is_plain_and_means_the_same() {
    assert!(parse(PRINTED).is_some());
    assert_eq!(parse(PRINTED), whole(PRINTED));
}

/// Whatever it makes of anything, it is what the other parser makes of it.
fn same(text: &str) -> bool {
    let ours = parse(text);
    if ours.is_some() {
        assert_eq!(ours, whole(text), "{text}");
    }
    ours.is_some()
}

#[test]
fn scalars_mean_the_same() {
    let words = [
        "true",
        "True",
        "yes",
        "no",
        "off",
        "~",
        "null",
        "Null",
        "1",
        "0",
        "00",
        "007",
        "0x1f",
        "0o17",
        "1e5",
        "1.5",
        "1_000",
        "12:30",
        "12:30:45",
        "2026-01-02",
        "2026-01-02T03:04:05Z",
        "1.2.3.4",
        "5d2cf9c0-3a3b",
        "0b9a-1",
        "80Mi",
        "1h",
        "4294967296",
        "18446744073709551616",
        "-1",
        "+1",
        ".5",
        "-",
        "- a",
        "a: b",
        "a:b",
        "a #b",
        "a#b",
        "\"a\"",
        "\"a\\n\"",
        "'a'",
        "'a''b'",
        "'",
        "\"",
        "{}",
        "{a: 1}",
        "[]",
        "[1]",
        "[a",
        "|",
        ">",
        "&a b",
        "*a",
        "!t a",
        "%a",
        "@a",
        "`a",
        "a, b",
        "a {b}",
        "fd00::1",
        "2001:db8::1",
        "::1",
        "1::",
        "1:2",
        "0b11",
        "1e-5",
        "0e-1",
        ".inf",
        ".nan",
        "nan",
        "infinity",
        "1 2",
        "1,000",
        "/a",
        "_a",
        "a\tb",
        "é",
        "? a",
        "a:",
        "1:",
        "12e03",
        "1-2",
        "0x-1",
        "1e+5",
        "0.",
        "1.",
        "1..2",
        "0xg",
        "true false",
        "=",
        "<<",
        "12d",
        "1f",
        "08",
    ];
    for word in words {
        for text in [
            format!("a: {word}\n"),
            format!("- {word}\n"),
            format!("a:\n- {word}\n- b\n"),
            format!("- b: {word}\n  c: d\n"),
            format!("{word}: a\n"),
            format!("- {word}: a\n"),
            format!("a: {word}  # b\n"),
            word.to_owned(),
        ] {
            same(&text);
        }
    }
}

/// Every document that is one or two lines away from a plain one: shorter, further in or out, twice, joined.
#[test]
fn documents_near_plain_ones_mean_the_same() {
    let lines: Vec<&str> = PRINTED.lines().collect();
    let mut plain = 0;
    for (at, line) in lines.iter().enumerate() {
        let changed = [
            String::new(),
            format!("  {line}"),
            format!(" {line}"),
            line.strip_prefix("  ").unwrap_or(line).to_owned(),
            line.strip_prefix(' ').unwrap_or(line).to_owned(),
            format!("{line}\n{line}"),
            format!("{line} "),
            format!("{line} more"),
            format!("{line}\n      more"),
            format!("{line}\n      more: so"),
            format!("- {line}"),
            line.replacen(':', "", 1),
            line.replacen("- ", "-", 1),
            line.replacen("- ", "-   ", 1),
            line.replacen(": ", ":", 1),
            line.replacen(": ", ":   ", 1),
            "---".to_owned(),
            "...".to_owned(),
        ];
        for other in changed {
            let mut document: Vec<&str> = lines.clone();
            document[at] = &other;
            plain += usize::from(same(&(document.join("\n") + "\n")));
        }
        same(&lines[..at].join("\n"));
        same(&lines[at..].join("\n"));
    }
    assert!(plain > 100, "of those some are plain: {plain}");
}

#[test]
fn what_is_deep_is_left_to_others() {
    let deep: String = (0..100).map(|n| format!("{}a:\n", " ".repeat(n))).collect();
    assert_eq!(parse(&deep), None);
}
