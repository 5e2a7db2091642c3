use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::services::health_port::Check;

const HERE: &str = "127.0.0.1";

fn wanted(ports: &[u16]) -> Wanted {
    let check = |port: &u16| {
        let check = Check {
            service: "default/web".to_owned(),
            v4: Some(1),
            v6: None,
            is_programmed: true,
        };
        (*port, check)
    };
    Wanted {
        checks: ports.iter().map(check).collect(),
        addresses: [HERE.parse::<IpAddr>().unwrap()].into(),
        ..Wanted::default()
    }
}

async fn free() -> u16 {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

#[tokio::test]
async fn a_socket_ends_with_its_connections_when_it_is_not_wanted() {
    let (pulse, mut open) = (Arc::new(Pulse::default()), Open::default());
    let port = free().await;
    assert!(open.become_as(&wanted(&[port]), &pulse).await.is_empty());
    let mut silent = TcpStream::connect((HERE, port)).await.unwrap();
    let mut stream = TcpStream::connect((HERE, port)).await.unwrap();
    let asked = stream.write_all(b"POST /any HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    asked.await.unwrap();
    let mut answer = String::new();
    // It is served alone, and the connection ends with it.
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");

    assert!(open.become_as(&wanted(&[]), &pulse).await.is_empty());
    let refused = TcpStream::connect((HERE, port)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let ended = silent.read(&mut [0]).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test]
async fn a_port_in_use_is_told_and_the_others_are_opened() {
    let (pulse, mut open) = (Arc::new(Pulse::default()), Open::default());
    let other = TcpListener::bind((HERE, 0)).await.unwrap();
    let (taken, good) = (other.local_addr().unwrap().port(), free().await);
    let both = wanted(&[taken, good]);
    let closed = open.become_as(&both, &pulse).await;
    let line = format!("spec.healthCheckNodePort: {HERE}:{taken}: Address already in use");
    let said = &closed["default/web"];
    assert!(said.len() == 1 && said[0].starts_with(&line), "{said:?}");
    assert!(TcpStream::connect((HERE, good)).await.is_ok());
    drop(other);
    assert!(open.become_as(&both, &pulse).await.is_empty());
    assert!(TcpStream::connect((HERE, taken)).await.is_ok());
}
