//! Files of manifests, as `kubectl get -o yaml` prints them.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::discovery::v1 as discovery;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::services::error::Invalid;
use crate::services::object::Object;

/// A document that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// Its number in the file, from 1.
    pub document: usize,
    /// What is wrong.
    pub error: String,
}

/// The objects of a file. Kinds that are none of ours are passed over.
///
/// # Errors
/// With the first document that cannot be used: the file counts as a whole.
pub fn parse(text: &str, is_json: bool) -> Result<Vec<Object>, Bad> {
    let mut objects = Vec::new();
    for (number, document) in (1..).zip(documents(text, is_json)) {
        let bad = |error: String| Bad {
            document: number,
            error,
        };
        let value = value(document, is_json).map_err(bad)?;
        one(value, "", &mut objects).map_err(|invalid| bad(invalid.to_string()))?;
    }
    Ok(objects)
}

/// The documents of a file: in YAML divided by lines that begin with `---`.
fn documents(text: &str, is_json: bool) -> Vec<&str> {
    if is_json {
        return vec![text];
    }
    let mut found = Vec::new();
    let (mut start, mut at) = (0, 0);
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix("---");
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])) {
            found.push(&text[start..at]);
            start = at + 3;
        }
        at += line.len();
    }
    found.push(&text[start..]);
    // What is before the first divider, and comments alone, are no documents.
    let empty = |text: &str| {
        text.lines()
            .map(str::trim)
            .all(|line| line.is_empty() || line.starts_with('#') || line == "...")
    };
    found.retain(|document| !empty(document));
    found
}

fn value(document: &str, is_json: bool) -> Result<Value, String> {
    if is_json {
        serde_json::from_str(document).map_err(|error| error.to_string())
    } else {
        let parsed = serde_saphyr::from_str(document);
        // The first line says it; the others draw it.
        parsed.map_err(|error| {
            error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned()
        })
    }
}

/// Adds the object of a value, or those of a list.
fn one(value: Value, at: &str, objects: &mut Vec<Object>) -> Result<(), Invalid> {
    let field = |name: &str| format!("{at}{name}");
    let word = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let kind = word("kind").ok_or_else(|| Invalid::new(field("kind"), "is missing"))?;
    let version =
        word("apiVersion").ok_or_else(|| Invalid::new(field("apiVersion"), "is missing"))?;
    let object = match (version.as_str(), kind.as_str()) {
        ("v1", "Service") => {
            let service = typed::<core::Service>(value, at)?;
            Object::Service(Box::new(service.try_into().map_err(below(at))?))
        }
        ("discovery.k8s.io/v1", "EndpointSlice") => {
            let slice = typed::<discovery::EndpointSlice>(value, at)?;
            Object::Slice(Box::new(slice.try_into().map_err(below(at))?))
        }
        ("v1", "Node") => {
            let node = typed::<core::Node>(value, at)?;
            Object::Node(Box::new(node.try_into().map_err(below(at))?))
        }
        (_, list) if list.ends_with("List") => {
            let Some(Value::Array(items)) = value.get("items").cloned() else {
                return Err(Invalid::new(field("items"), "is missing or no list"));
            };
            for (index, mut item) in items.into_iter().enumerate() {
                // The items of a typed list do not repeat what they are.
                if let (Some(item), Some(kind)) = (item.as_object_mut(), list.strip_suffix("List"))
                    && !kind.is_empty()
                {
                    item.entry("kind").or_insert_with(|| kind.into());
                    item.entry("apiVersion")
                        .or_insert_with(|| version.clone().into());
                }
                one(item, &format!("{at}items[{index}]."), objects)?;
            }
            return Ok(());
        }
        _ => return Ok(()),
    };
    objects.push(object);
    Ok(())
}

fn below(at: &str) -> impl FnOnce(Invalid) -> Invalid {
    move |invalid| Invalid::new(format!("{at}{}", invalid.field), invalid.reason)
}

fn typed<T: DeserializeOwned>(value: Value, at: &str) -> Result<T, Invalid> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        Invalid::new(format!("{at}{path}"), error.into_inner().to_string())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {clusterIP: 10.96.0.7, ports: [{port: 80}]}
";

    fn names(text: &str) -> Vec<String> {
        let objects = parse(text, false).unwrap();
        objects
            .iter()
            .map(|object| object.id().to_string())
            .collect()
    }

    #[test]
    fn documents_lists_and_foreign_kinds() {
        let list = "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Node, metadata: {name: n1}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
---
apiVersion: v1
kind: NodeList
items: [{metadata: {name: n2}}]
";
        let text = format!("# a comment\n---\n{SERVICE}\n--- # divided\n{list}---\n");
        assert_eq!(names(&text), ["Service shop/web", "Node n1", "Node n2"]);
    }

    #[test]
    fn json_is_one_document() {
        let text = r#"{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}}"#;
        assert_eq!(parse(text, true).unwrap().len(), 1);
        assert_eq!(parse("{", true).unwrap_err().document, 1);
    }

    #[test]
    fn an_error_names_document_and_field() {
        let table = [
            ("port: eighty", "spec.ports[0].port"),
            ("port: 70000", "spec.ports[0].port"),
            ("port: 80, protocol: HTTP", "spec.ports[0].protocol"),
            ("port: 80, nodePort: -1", "spec.ports[0].nodePort"),
        ];
        for (port, field) in table {
            let bad = SERVICE.replace("port: 80", port);
            let error = parse(&format!("{SERVICE}---\n{bad}"), false).unwrap_err();
            assert_eq!(error.document, 2, "{port}");
            assert!(error.error.starts_with(field), "{port}: {}", error.error);
        }
        let error = parse("kind: Service\n", false).unwrap_err();
        assert_eq!(error.error, "apiVersion: is missing");
        let error = parse("a: [1\n", false).unwrap_err();
        assert_eq!(error.document, 1);
    }
}
