//! The scripts for `nft`: what ADD writes, and what a removal needs to delete
//! given the table as it is. Pure, so that it is tested without a kernel.

use std::collections::BTreeSet;
use std::fmt::Write;

use attachment::record::Masquerade;
use serde_json::Value;

/// Family and name of the table.
pub const TABLE: &str = "inet berth";

/// The chain at the hook.
const HOOK: &str = "masquerade-pods";
/// Map from IPv4 pod address to its subnet's chain.
const MAP4: &str = "masquerade-ip4";
/// Map from IPv6 pod address to its subnet's chain.
const MAP6: &str = "masquerade-ip6";
/// What the chains of subnets begin with.
const CHAIN_PREFIX: &str = "masquerade-from-";

/// An element of one of the maps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// The pod's address.
    pub address: String,
    /// The name of the port it belongs to.
    pub comment: String,
    /// The chain it leads to.
    pub chain: String,
    map: String,
}

/// The chain of a subnet: nft allows slashes and dots in names, colons not.
pub fn chain_of(element: &Masquerade) -> String {
    let network = element.network;
    let subnet = format!("{}/{}", network.network(), network.prefix());
    format!("{CHAIN_PREFIX}{}", subnet.replace(':', "_"))
}

/// Makes everything that `elements` need, whether or not it is there already.
pub fn add(port_name: &str, elements: &[Masquerade]) -> String {
    let mut script = format!(
        "add table {TABLE}\n\
         add map {TABLE} {MAP4} {{ type ipv4_addr : verdict; }}\n\
         add map {TABLE} {MAP6} {{ type ipv6_addr : verdict; }}\n\
         add chain {TABLE} {HOOK} {{ type nat hook postrouting priority srcnat; policy accept; }}\n\
         flush chain {TABLE} {HOOK}\n\
         add rule {TABLE} {HOOK} ip saddr vmap @{MAP4}\n\
         add rule {TABLE} {HOOK} ip6 saddr vmap @{MAP6}\n"
    );
    for element in elements {
        let (map, family, multicast) = match element.address.is_ipv4() {
            true => (MAP4, "ip", "224.0.0.0/4"),
            false => (MAP6, "ip6", "ff00::/8"),
        };
        let (address, chain) = (element.address, chain_of(element));
        let subnet = format!("{}/{}", element.network.network(), element.network.prefix());
        // Writing to a String cannot fail. The element is added, deleted and added
        // because only so an element of the same address, left by a former owner,
        // gets the new comment.
        let _ = write!(
            script,
            "add chain {TABLE} {chain}\n\
             flush chain {TABLE} {chain}\n\
             add rule {TABLE} {chain} {family} daddr {subnet} return\n\
             add rule {TABLE} {chain} {family} daddr {multicast} return\n\
             add rule {TABLE} {chain} masquerade\n\
             add element {TABLE} {map} {{ {address} : jump {chain} }}\n\
             delete element {TABLE} {map} {{ {address} }}\n\
             add element {TABLE} {map} {{ {address} comment \"{port_name}\" : jump {chain} }}\n"
        );
    }
    script
}

/// Deletes the elements that `is_ours` (comment, address) names, with the chains
/// and at last the table that only they used; none if nothing is ours.
pub fn remove(table: &Value, is_ours: impl Fn(&str, &str) -> bool) -> Option<String> {
    let (ours, others): (Vec<Element>, Vec<Element>) = elements(table)
        .into_iter()
        .partition(|one| is_ours(&one.comment, &one.address));
    if ours.is_empty() {
        return None;
    }
    if others.is_empty() && objects(table).iter().all(|name| is_own(name)) {
        return Some(format!("delete table {TABLE}\n"));
    }
    let mut script = String::new();
    for one in &ours {
        let _ = writeln!(
            script,
            "delete element {TABLE} {} {{ {} }}",
            one.map, one.address
        );
    }
    let still: BTreeSet<&str> = others.iter().map(|one| one.chain.as_str()).collect();
    let unused: BTreeSet<&str> = ours
        .iter()
        .map(|one| one.chain.as_str())
        .filter(|chain| chain.starts_with(CHAIN_PREFIX) && !still.contains(chain))
        .collect();
    for chain in unused {
        let _ = writeln!(script, "delete chain {TABLE} {chain}");
    }
    Some(script)
}

/// All elements of the two maps.
pub fn elements(table: &Value) -> Vec<Element> {
    let mut found = Vec::new();
    for map in items(table, "map") {
        let name = map["name"].as_str().unwrap_or_default();
        if name != MAP4 && name != MAP6 {
            continue;
        }
        for pair in map["elem"].as_array().into_iter().flatten() {
            let key = &pair[0];
            // Without a comment the key is the bare address.
            let address = key["elem"]["val"].as_str().or(key.as_str());
            found.push(Element {
                address: address.unwrap_or_default().to_owned(),
                comment: key["elem"]["comment"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                chain: pair[1]["jump"]["target"]
                    .as_str()
                    .unwrap_or_default()
                    .to_owned(),
                map: name.to_owned(),
            });
        }
    }
    found
}

/// The names of all chains, maps and sets of the table.
fn objects(table: &Value) -> Vec<&str> {
    ["chain", "map", "set", "flowtable"]
        .into_iter()
        .flat_map(|kind| items(table, kind))
        .map(|object| object["name"].as_str().unwrap_or_default())
        .collect()
}

fn is_own(name: &str) -> bool {
    [HOOK, MAP4, MAP6].contains(&name) || name.starts_with(CHAIN_PREFIX)
}

fn items<'a>(table: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    table["nftables"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(move |item| item.get(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn element(address: &str, network: &str) -> Masquerade {
        Masquerade {
            address: address.parse().unwrap(),
            network: network.parse().unwrap(),
        }
    }

    /// A table as `nft -j` prints it, with (address, comment, chain) elements.
    fn table(elements: &[(&str, &str, &str)], more: &[Value]) -> Value {
        let elements: Vec<Value> = elements
            .iter()
            .map(|(address, comment, chain)| {
                json!([{"elem": {"val": address, "comment": comment}}, {"jump": {"target": chain}}])
            })
            .collect();
        let mut items = vec![
            json!({"table": {"name": "berth"}}),
            json!({"map": {"name": MAP4, "elem": elements}}),
            json!({"map": {"name": MAP6}}),
            json!({"chain": {"name": HOOK}}),
        ];
        items.extend_from_slice(more);
        json!({ "nftables": items })
    }

    #[test]
    fn a_subnet_has_one_chain_whatever_the_address() {
        let first = element("10.1.0.5", "10.1.0.5/24");
        assert_eq!(chain_of(&first), "masquerade-from-10.1.0.0/24");
        assert_eq!(
            chain_of(&element("10.1.0.9", "10.1.0.1/24")),
            chain_of(&first)
        );
        assert_eq!(
            chain_of(&element("fd00::5", "fd00::5/64")),
            "masquerade-from-fd00__/64"
        );
    }

    #[test]
    fn the_script_carries_owner_subnet_and_both_families() {
        let script = add(
            "brt1",
            &[
                element("10.1.0.5", "10.1.0.0/24"),
                element("fd00::5", "fd00::/64"),
            ],
        );
        for line in [
            "add element inet berth masquerade-ip4 { 10.1.0.5 comment \"brt1\" : jump masquerade-from-10.1.0.0/24 }",
            "add rule inet berth masquerade-from-10.1.0.0/24 ip daddr 10.1.0.0/24 return",
            "add element inet berth masquerade-ip6 { fd00::5 comment \"brt1\" : jump masquerade-from-fd00__/64 }",
            "add rule inet berth masquerade-from-fd00__/64 ip6 daddr ff00::/8 return",
        ] {
            assert!(
                script.lines().any(|one| one == line),
                "{line} not in\n{script}"
            );
        }
    }

    #[test]
    fn the_last_element_takes_the_table_with_it() {
        let table = table(&[("10.1.0.5", "brt1", "masquerade-from-a")], &[]);
        let script = remove(&table, |comment, _| comment == "brt1");
        assert_eq!(script.as_deref(), Some("delete table inet berth\n"));
    }

    #[test]
    fn a_table_with_other_things_in_it_stays() {
        let other = json!({"chain": {"name": "services"}});
        let table = table(&[("10.1.0.5", "brt1", "masquerade-from-a")], &[other]);
        assert_eq!(
            remove(&table, |comment, _| comment == "brt1").unwrap(),
            "delete element inet berth masquerade-ip4 { 10.1.0.5 }\n\
             delete chain inet berth masquerade-from-a\n"
        );
    }

    #[test]
    fn a_chain_that_others_use_stays() {
        let table = table(
            &[
                ("10.1.0.5", "brt1", "masquerade-from-a"),
                ("10.1.0.6", "brt2", "masquerade-from-a"),
            ],
            &[],
        );
        assert_eq!(
            remove(&table, |comment, _| comment == "brt1").unwrap(),
            "delete element inet berth masquerade-ip4 { 10.1.0.5 }\n"
        );
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        let table = table(&[("10.1.0.6", "brt2", "masquerade-from-a")], &[]);
        assert_eq!(remove(&table, |comment, _| comment == "brt1"), None);
        assert_eq!(remove(&json!({}), |_, _| true), None);
    }
}
