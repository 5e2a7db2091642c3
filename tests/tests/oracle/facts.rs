//! What scenarios note, and the questions that many of them ask.

use std::thread;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use crate::rig::{self, NODE_V4, NODE_V6};
use crate::stage::{From, Stage};

/// Addresses of nobody's but of Services that are given them.
pub const BALANCER: Place = Place::vip("the balancer's address", "203.0.113.6", "2001:db8:6::6");
pub const EXTERNAL: Place = Place::vip("the external address", "203.0.113.5", "2001:db8:5::5");

/// Both protocols.
pub const BOTH: [&str; 2] = ["tcp", "udp"];

/// One thing that was seen.
#[derive(Clone, Debug)]
pub struct Fact {
    pub what: String,
    pub seen: String,
}

/// What one scenario has seen on one stage.
#[derive(Debug, Default)]
pub struct Notes {
    pub facts: Vec<Fact>,
}

/// Where something is asked, in both families.
#[derive(Clone, Debug)]
pub struct Place {
    name: &'static str,
    v4: &'static str,
    v6: &'static str,
    pub port: u16,
}

impl Place {
    const fn vip(name: &'static str, v4: &'static str, v6: &'static str) -> Self {
        let port = 80;
        Self { name, v4, v6, port }
    }

    /// The addresses, that of IPv4 first.
    pub fn addresses(&self) -> [&'static str; 2] {
        [self.v4, self.v6]
    }
}

/// A Service `web` that no other scenario has: with addresses and a NodePort of its own.
#[derive(Clone, Copy, Debug)]
pub struct Web(pub u8);

impl Web {
    /// Its manifest; `more` goes into its spec.
    pub fn service(self, more: &Value) -> Value {
        let mut service = rig::service("web", self.0, more);
        let spec = &mut service["spec"];
        spec["ipFamilies"] = json!(["IPv4", "IPv6"]);
        spec["ipFamilyPolicy"] = json!("RequireDualStack");
        if spec["type"].is_null() {
            spec["type"] = json!("ClusterIP");
            for port in spec["ports"].as_array_mut().expect("a list") {
                port.as_object_mut().expect("a port").remove("nodePort");
            }
        }
        service
    }

    /// As [`Web::service`], of a load balancer at [`BALANCER`], with external addresses, too.
    pub fn balanced(self, more: &Value) -> Value {
        let mut service = self.service(&json!({
            "type": "LoadBalancer", "externalIPs": EXTERNAL.addresses(),
        }));
        for (key, value) in more.as_object().into_iter().flatten() {
            service["spec"][key] = value.clone();
        }
        let ingress = BALANCER
            .addresses()
            .map(|ip| json!({"ip": ip, "ipMode": "VIP"}));
        service["status"] = json!({"loadBalancer": {"ingress": ingress}});
        service
    }

    /// Its ClusterIP at its port, or another.
    pub fn cluster_ip(self, port: u16) -> Place {
        let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
        let v4 = leak(format!("10.96.0.{}", self.0));
        let v6 = leak(format!("fd00:96::{}", self.0));
        let name = if port == 80 {
            "the ClusterIP"
        } else {
            "another port of the ClusterIP"
        };
        Place { name, v4, v6, port }
    }

    /// Its NodePort at the node's address.
    pub fn node_port(self) -> Place {
        let (v4, v6) = (NODE_V4, NODE_V6);
        let port = 30_000 + u16::from(self.0);
        let name = "the NodePort";
        Place { name, v4, v6, port }
    }
}

impl Notes {
    /// Notes what was seen; a second fact of the same words is told by its number.
    pub fn note(&mut self, what: impl Into<String>, seen: impl Into<String>) {
        let (mut what, seen) = (what.into(), seen.into());
        let alike = |fact: &&Fact| fact.what.split(" (time ").next() == Some(&what);
        let before = self.facts.iter().filter(alike).count();
        if before > 0 {
            what = format!("{what} (time {})", before + 1);
        }
        self.facts.push(Fact { what, seen });
    }

    /// Asks a place from somewhere in both families by each of `hows`; one fact, told once where all are alike. `when`
    /// says in which state.
    pub fn ask(
        &mut self,
        stage: &Stage,
        (when, from, hows): (&str, From, &[&str]),
        place: &Place,
    ) -> Result<()> {
        let places = place.addresses().into_iter().zip(["v4", "v6"]);
        let each = hows
            .iter()
            .flat_map(|how| places.clone().map(move |it| (*how, it)));
        // All at once: where nobody answers, each waits for as long as an answer may take.
        let seen = thread::scope(|scope| {
            let asked: Vec<_> = each
                .map(|(how, (address, family))| {
                    let ask = move || stage.ask(from, (how, address, place.port));
                    (format!("{how} {family}"), scope.spawn(ask))
                })
                .collect();
            let ended = asked.into_iter().map(|(at, asked)| {
                let answer = asked.join().map_err(|_| anyhow!("{at} panicked"))?;
                Ok((at, answer?))
            });
            ended.collect::<Result<Vec<_>>>()
        })?;
        let alike = seen.iter().all(|(_, answer)| *answer == seen[0].1);
        let told = if alike {
            seen[0].1.clone()
        } else {
            let each: Vec<String> = seen
                .iter()
                .map(|(at, answer)| format!("{at}: {answer}"))
                .collect();
            each.join("; ")
        };
        let when = if when.is_empty() {
            String::new()
        } else {
            format!("{when}: ")
        };
        let what = format!("{when}{from} asks {} ({})", place.name, hows.join(", "));
        self.note(what, told);
        Ok(())
    }
}
