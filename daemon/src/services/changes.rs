//! What has changed in a source since somebody asked: for metrics.

use super::object::Object;

/// Changes of objects, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Services that came, went or changed.
    pub services: u64,
    /// Slices that came, went or changed.
    pub slices: u64,
    /// When that happened which led to changes of slices: microseconds since 1970.
    pub triggered_us: Vec<u64>,
}

impl Changes {
    /// Whether any of it is a reason to write tables.
    pub fn any(&self) -> bool {
        self.services + self.slices > 0
    }

    /// Takes in that an object is another than before.
    pub fn note(&mut self, before: Option<&Object>, after: Option<&Object>) {
        match after.or(before) {
            Some(Object::Service(_)) => self.services += 1,
            Some(Object::Slice(_)) => self.slices += 1,
            Some(Object::Node(_)) | None => {}
        }
        let triggered = |object: Option<&Object>| match object {
            Some(Object::Slice(slice)) => slice.triggered_us,
            _ => None,
        };
        // The annotation outlives changes that it does not speak of.
        if let Some(at) = triggered(after).filter(|at| triggered(before) != Some(*at)) {
            self.triggered_us.push(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::services::fixture::{ready, service, slice};

    #[test]
    fn a_trigger_counts_once_and_not_for_what_is_removed() {
        let at = 1_000_000;
        let of = |ip: &str, triggered_us| {
            let mut slice = slice("web", vec![ready(ip, "n1")]);
            slice.triggered_us = triggered_us;
            Object::Slice(Box::new(slice))
        };
        let (first, second) = (of("10.1.0.1", Some(at)), of("10.1.0.2", Some(at)));
        let mut changes = Changes::default();
        changes.note(None, Some(&first));
        changes.note(Some(&first), Some(&second));
        changes.note(Some(&second), None);
        changes.note(None, Some(&of("10.1.0.1", None)));
        assert_eq!((changes.services, changes.slices), (0, 4));
        assert_eq!(changes.triggered_us, [at]);
    }

    #[test]
    fn services_are_counted_and_nodes_are_not() {
        let mut changes = Changes::default();
        changes.note(None, Some(&Object::Node(Box::default())));
        assert!(!changes.any());
        let web = Object::Service(Box::new(service("web", "10.96.0.1", &json!({}))));
        changes.note(None, Some(&web));
        changes.note(Some(&web), None);
        assert_eq!((changes.services, changes.any()), (2, true));
    }
}
