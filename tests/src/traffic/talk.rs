//! A client of a few lines for tests of Services: asks an address and prints who answered.
//!
//! `talk HOW ADDRESS PORT [TIMES [SOURCE]]`, with HOW one of `tcp`, `udp` (a connected socket), `udp-send` (a socket
//! that is not connected, one for all questions), `udp-big` (datagrams that come in fragments), `udp-mid` (that
//! smaller networks than Ethernet do not take), `udp-fixed` (each from
//! the same port), `echo` (ICMP, without a port), or `tcp-hold`, `udp-hold` and `udp-send-hold`: one socket for all
//! questions, asked slowly, in whose place another comes only after an error. SOURCE is the UDP port it is bound to.
//! One line for each question: `<answer> from <peer>`, or `error <kind>`.

mod echo;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

/// How long an answer may take: nothing here leaves the machine, and a dropped packet is a result too.
const LIMIT: Duration = Duration::from_secs(2);
/// Bytes of a datagram that no Ethernet frame holds.
const BIG: usize = 4000;
/// Bytes of one that some frames do not hold.
const MID: usize = 1420;
/// The port of `udp-fixed`.
const FIXED: &str = ":40123";
/// Between two questions of a socket that is held.
const PAUSE: Duration = Duration::from_millis(20);

/// Runs the client with these arguments and prints to standard output.
///
/// # Errors
/// When the arguments make no sense.
pub fn talk(arguments: &[String]) -> anyhow::Result<()> {
    let [how, address, port, rest @ ..] = arguments else {
        anyhow::bail!("usage: talk tcp|udp|udp-send[-hold] ADDRESS PORT [TIMES [SOURCE]]");
    };
    let to = SocketAddr::new(address.parse::<IpAddr>()?, port.parse()?);
    let times: u32 = rest.first().map_or(Ok(1), |times| times.parse())?;
    let source: u16 = rest.get(1).map_or(Ok(0), |source| source.parse())?;
    if let Some(how) = how.strip_suffix("-hold") {
        return hold(how, to, times, source);
    }
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let shared = UdpSocket::bind(any)?;
    shared.set_read_timeout(Some(LIMIT))?;
    for _ in 0..times {
        let answer = match how.as_str() {
            "tcp" => tcp(to),
            "udp" => udp(to, any, b"?"),
            "udp-big" => udp(to, any, &[b'?'; BIG]),
            "udp-mid" => udp(to, any, &[b'?'; MID]),
            "udp-fixed" => udp(to, &any.replace(":0", FIXED), b"?"),
            "udp-send" => send(to, &shared),
            "echo" => echo::ask(to, LIMIT),
            _ => anyhow::bail!("{how:?} is not tcp, udp or udp-send"),
        };
        tell(answer);
    }
    Ok(())
}

fn tell(answer: io::Result<(String, SocketAddr)>) {
    match answer {
        Ok((answer, peer)) => println!("{answer} from {peer}"),
        Err(error) => println!("error {:?}", error.kind()),
    }
}

/// A socket that is held.
enum Held {
    Tcp(TcpStream),
    Udp(UdpSocket),
    Send(UdpSocket),
}

impl Held {
    fn open(how: &str, to: SocketAddr, source: u16) -> io::Result<Self> {
        if how == "tcp" {
            let stream = TcpStream::connect_timeout(&to, LIMIT)?;
            stream.set_read_timeout(Some(LIMIT))?;
            return Ok(Self::Tcp(stream));
        }
        let any = if to.is_ipv4() { "0.0.0.0" } else { "::" };
        let socket = UdpSocket::bind((any, source))?;
        socket.set_read_timeout(Some(LIMIT))?;
        if how == "udp-send" {
            return Ok(Self::Send(socket));
        }
        socket.connect(to)?;
        Ok(Self::Udp(socket))
    }

    fn ask(&mut self, to: SocketAddr) -> io::Result<(String, SocketAddr)> {
        let mut buffer = [0; 256];
        let (length, peer) = match self {
            Self::Tcp(stream) => {
                stream.write_all(b"?")?;
                (stream.read(&mut buffer)?, stream.peer_addr()?)
            }
            Self::Udp(socket) => {
                // Of a socket that was ended, send says only that it is not connected; the reason waits.
                let reason = |error| socket.take_error().ok().flatten().unwrap_or(error);
                socket.send(b"?").map_err(reason)?;
                (socket.recv(&mut buffer)?, socket.peer_addr()?)
            }
            Self::Send(socket) => return send(to, socket),
        };
        if length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok((
            String::from_utf8_lossy(&buffer[..length]).into_owned(),
            peer,
        ))
    }
}

fn hold(how: &str, to: SocketAddr, times: u32, source: u16) -> anyhow::Result<()> {
    anyhow::ensure!(
        matches!(how, "tcp" | "udp" | "udp-send"),
        "{how:?} is not tcp, udp or udp-send"
    );
    let mut held: Option<Held> = None;
    for _ in 0..times {
        let mut socket = match held.take().map_or_else(|| Held::open(how, to, source), Ok) {
            Ok(socket) => socket,
            Err(error) => {
                tell(Err(error));
                thread::sleep(PAUSE);
                continue;
            }
        };
        let answer = socket.ask(to);
        if answer.is_ok() {
            held = Some(socket);
        }
        tell(answer);
        thread::sleep(PAUSE);
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

fn udp(to: SocketAddr, any: &str, question: &[u8]) -> io::Result<(String, SocketAddr)> {
    let socket = UdpSocket::bind(any)?;
    socket.set_read_timeout(Some(LIMIT))?;
    socket.connect(to)?;
    socket.send(question)?;
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
