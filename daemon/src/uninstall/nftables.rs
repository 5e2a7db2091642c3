//! The table `inet berth`.

use std::io::ErrorKind;
use std::process::Command;

use super::Removal;

const TABLE: [&str; 2] = ["inet", "berth"];

pub fn remove(removal: &mut Removal) {
    let nft = |verb: &str| {
        Command::new("nft")
            .args([verb, "table"])
            .args(TABLE)
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
                    .push(format!("nftables table inet berth: {}", words.trim()));
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
            removal.removed.push("nftables table inet berth".to_owned());
        }
        Ok(deleted) => {
            let words = String::from_utf8_lossy(&deleted.stderr);
            removal
                .errors
                .push(format!("nftables table inet berth: {}", words.trim()));
        }
        Err(error) => removal.errors.push(format!("nft: {error}")),
    }
}
