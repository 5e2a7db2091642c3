//! Where berth and kube-proxy differ, and why ours is right. A fault of ours is not listed: it fails.

/// A difference that is expected. Of the texts a part is enough.
pub struct Difference {
    /// Name of the scenario, the whole of it.
    pub scenario: &'static str,
    /// What was asked.
    pub fact: &'static str,
    /// What kube-proxy is seen to do.
    pub kube: &'static str,
    /// What berth is seen to do, the whole of it.
    pub berth: &'static str,
    /// Why ours is right.
    pub why: &'static str,
}

const PERMISSION: &str =
    "a client is told what TCP tells it, that nobody is there, and not that it may not send";
const OWN_ADDRESS: &str =
    "replies to a pod of this node come by this node anyway: it keeps its address";
const HAIRPIN: &str =
    "a socket that is bound for its own pod needs no other address to get its answer";
const TAKEN: &str = "an address that the node answers at itself is not for a Service to take";
const CUT: &str =
    "who is not in any slice is asked no more, not even by a flow that was there before";
const ON_THE_WAY_OUT: &str =
    "a balancer is to send nothing new to a node that is about to be removed";

const ONE_PORT: &str = "what one port cannot tell apart at the backend the node's address does; the flow before keeps its own";
const PENDING: &str = "a change that waits is told of by the time of the last one queued, which is after the last write";

/// All of them.
#[rustfmt::skip]
pub static ALL: &[Difference] = &[
    Difference { scenario: "no endpoints", fact: "the node by its socket", kube: "udp v4: refused by a rule at send", berth: "refused", why: PERMISSION },
    Difference { scenario: "unallocated", fact: "the node by its socket", kube: "udp v4: refused by a rule at send", berth: "refused", why: PERMISSION },
    Difference { scenario: "internalTrafficPolicy Local", fact: "none at all: the node", kube: "udp v4: refused by a rule at send", berth: "refused", why: PERMISSION },
    Difference { scenario: "internalTrafficPolicy Local", fact: "none here: the node", kube: "tcp v6: silence; udp v4: refused by a rule at send", berth: "silence", why: "policy Local drops, for UDP as for TCP" },
    Difference { scenario: "NodePort", fact: "a pod", kube: "b0, b1, far seeing the node", berth: "b0, b1, far seeing the pod", why: OWN_ADDRESS },
    Difference { scenario: "load balancer", fact: "ipMode VIP: a pod", kube: "b0, far seeing the node", berth: "b0, far seeing the pod", why: OWN_ADDRESS },
    Difference { scenario: "external addresses", fact: "a pod", kube: "b0, far seeing the node", berth: "b0, far seeing the pod", why: OWN_ADDRESS },
    Difference { scenario: "source ranges", fact: "the pods within: a pod", kube: "b0, far seeing the node", berth: "b0, far seeing the pod", why: OWN_ADDRESS },
    Difference { scenario: "external addresses", fact: "the node's own address", kube: "b0, far seeing the node", berth: "refused", why: TAKEN },
    Difference { scenario: "hairpin", fact: "b0 itself by its socket", kube: "b0 seeing the node", berth: "b0 seeing b0", why: HAIRPIN },
    Difference { scenario: "a UDP flow whose backend goes", fact: "nobody is left", kube: "seeing the", berth: "refused", why: CUT },
    Difference { scenario: "one client port, two Services, one backend", fact: "a pod in packets, from one port: the other", kube: "b0 seeing the pod", berth: "b0 seeing the node", why: ONE_PORT },
    Difference { scenario: "metrics", fact: "_changes_pending", kube: "gauge", berth: "is not there", why: PENDING },
    Difference { scenario: "healthz", fact: "the autoscaler's taint: a balancer", kube: "\"serviceProxyHealthy\":true", berth: "503, content-type: application/json, x-content-type-options: nosniff, x-load-balancing-endpoint-weight: 1, {\"service\":{\"namespace\":\"default\",\"name\":\"web\"},\"localEndpoints\":1,\"serviceProxyHealthy\":false}", why: ON_THE_WAY_OUT },
];

/// The one that explains a fact.
pub fn find(scenario: &str, fact: &str, kube: &str, berth: &str) -> Option<&'static Difference> {
    ALL.iter().find(|it| {
        it.scenario == scenario
            && fact.contains(it.fact)
            && kube.contains(it.kube)
            && berth == it.berth
    })
}
