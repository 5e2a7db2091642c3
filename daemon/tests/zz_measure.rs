//! scratch
mod rig;
use anyhow::Result;
use attachment::Strategy;
use rig::{LIMIT, Node, Pod};
use attachment::Phase;
use netlink::MacAddr;
use tests::netns::Netns;
use std::time::Instant;
use tests::traffic::PingTrain;

#[test]
fn measure() -> Result<()> {
    let n: u32 = std::env::var("N").unwrap_or("100".into()).parse()?;
    let strategy: Strategy = std::env::var("S")
        .unwrap_or("rename".into())
        .parse()
        .unwrap();
    let mut node = if strategy == Strategy::Routed {
        Node::bare()?
    } else {
        Node::switched()?
    };
    let t = Instant::now();
    let mut pods = Vec::new();
    for i in 0..n {
        pods.push(node.attach_n(i, strategy)?);
    }
    println!("attached {n} in {:?}", t.elapsed());
    let t = Instant::now();
    node.start_with(&["--healthz", "none", "--metrics", "none", "--log", "info"])?;
    node.await_healthy()?;
    println!("started in {:?}", t.elapsed());
    let st = node.status()?;
    println!("rss {} passes {:#}", st["residentBytes"], st["passes"]);
    if strategy != Strategy::Routed {
        let trains: Vec<_> = pods
            .chunks(2)
            .filter(|c| c.len() == 2)
            .map(|c| PingTrain::start(&c[0].netns, &c[1].netns, c[1].address()))
            .collect::<Result<_>>()?;
        for t in &trains {
            t.await_answer(LIMIT)?;
        }
        node.ovs().kill_vswitchd()?;
        node.await_event("vswitchd-died")?;
        let t = Instant::now();
        node.ovs().start_vswitchd()?;
        println!("vswitchd start returned after {:?}", t.elapsed());
        for t in &trains {
            t.await_answer(LIMIT)?;
        }
        node.await_healthy()?;
        std::thread::sleep(std::time::Duration::from_secs(3));
        let mut outs: Vec<_> = trains
            .into_iter()
            .map(|t| t.finish().outage().as_millis())
            .collect();
        outs.sort();
        println!(
            "outages min {} median {} max {}",
            outs[0],
            outs[outs.len() / 2],
            outs[outs.len() - 1]
        );
        for e in node.json("events")?.as_array().unwrap().iter() {
            let k = e["kind"].as_str().unwrap();
            println!(
                "{} {} {} {} {}",
                e["atUs"].as_u64().unwrap() as f64 / 1000.0 % 1e6,
                k,
                e["subject"],
                e["tookMs"],
                e["detail"]
            );
        }
        let st = node.status()?;
        println!("rss {} passes {:#}", st["residentBytes"], st["passes"]);
    }
    let log = node.log();
    println!(
        "{}",
        log.lines()
            .filter(|l| l.contains("done") || l.contains("WARN") || l.contains("ERROR"))
            .take(60)
            .collect::<Vec<_>>()
            .join("\n")
    );
    Ok(())
}

impl Node {
    pub fn attach_n(&self, i: u32, strategy: Strategy) -> Result<Pod> {
        let netns = Netns::new(&format!("pod{i}"))?;
        let mut record = self.record(&netns, (i % 250) as u8, strategy)?;
        record.container_id = format!("{:064x}", i + 1);
        record.port_name = record.key().port_name();
        record.mac = MacAddr([0x0a, 0x58, 10, 1, (i >> 8) as u8, i as u8]);
        record.addresses[0].address = format!("10.1.{}.{}/16", i / 250, i % 250 + 2).parse()?;
        let record = self.run(|host, store| async move {
            attachment::attach(&host, &store, &mut record).await?;
            record.phase = Phase::Ready;
            store.write(&record)?;
            Ok(record)
        })?;
        Ok(Pod { netns, record })
    }
}
