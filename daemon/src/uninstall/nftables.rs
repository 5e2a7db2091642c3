//! The tables of nftables: `inet berth` has what masquerades, `inet berth_services` what refuses.

use std::io::ErrorKind;
use std::process::Command;

use super::Removal;

const TABLES: [&str; 2] = ["berth", "berth_services"];

pub fn remove(removal: &mut Removal) {
    for table in TABLES {
        remove_table(table, removal);
    }
}

fn remove_table(table: &str, removal: &mut Removal) {
    let nft = |verb: &str| {
        Command::new("nft")
            .args([verb, "table", "inet", table])
            .env("LC_ALL", "C")
            .output()
    };
    match nft("list") {
        Ok(listed) if listed.status.success() => {}
        Ok(listed) => {
            let words = String::from_utf8_lossy(&listed.stderr);
            if !words.contains("No such file or directory") {
                removal
                    .errors
                    .push(format!("nftables table inet {table}: {}", words.trim()));
            }
            return;
        }
        // Rules are only ever written by nft: where it is not, there are none.
        Err(error) if error.kind() == ErrorKind::NotFound => return,
        Err(error) => {
            removal.errors.push(format!("nft: {error}"));
            return;
        }
    }
    match nft("delete") {
        Ok(deleted) if deleted.status.success() => {
            removal.removed.push(format!("nftables table inet {table}"));
        }
        Ok(deleted) => {
            let words = String::from_utf8_lossy(&deleted.stderr);
            removal
                .errors
                .push(format!("nftables table inet {table}: {}", words.trim()));
        }
        Err(error) => removal.errors.push(format!("nft: {error}")),
    }
}
