//! A client of a few lines for tests of Services: asks an address and prints who answered.
//!
//! `talk HOW ADDRESS PORT [TIMES]`, with HOW one of `tcp`, `udp` (a connected socket), `udp-send` (a socket that is
//! not connected, one for all questions). One line for each question: `<answer> from <peer>`, or `error <kind>`.

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

/// How long an answer may take: nothing here leaves the machine, and a dropped packet is a result too.
const LIMIT: Duration = Duration::from_secs(2);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [how, address, port, rest @ ..] = arguments.as_slice() else {
        anyhow::bail!("usage: talk tcp|udp|udp-send ADDRESS PORT [TIMES]");
    };
    let to = SocketAddr::new(address.parse::<IpAddr>()?, port.parse()?);
    let times: u32 = rest.first().map_or(Ok(1), |times| times.parse())?;
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let shared = UdpSocket::bind(any)?;
    shared.set_read_timeout(Some(LIMIT))?;
    for _ in 0..times {
        let answer = match how.as_str() {
            "tcp" => tcp(to),
            "udp" => udp(to, any),
            "udp-send" => send(to, &shared),
            _ => anyhow::bail!("{how:?} is not tcp, udp or udp-send"),
        };
        match answer {
            Ok((answer, peer)) => println!("{answer} from {peer}"),
            Err(error) => println!("error {:?}", error.kind()),
        }
    }
    Ok(())
}

fn tcp(to: SocketAddr) -> io::Result<(String, SocketAddr)> {
    let mut stream = TcpStream::connect_timeout(&to, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.write_all(b"?")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok((answer, stream.peer_addr()?))
}

fn udp(to: SocketAddr, any: &str) -> io::Result<(String, SocketAddr)> {
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(to)?;
    socket.send(b"?")?;
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer)?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    Ok((answer, socket.peer_addr()?))
}

fn send(to: SocketAddr, socket: &UdpSocket) -> io::Result<(String, SocketAddr)> {
    socket.send_to(b"?", to)?;
    let mut buffer = [0; 256];
    let (length, from) = socket.recv_from(&mut buffer)?;
    let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
    Ok((answer, from))
}
