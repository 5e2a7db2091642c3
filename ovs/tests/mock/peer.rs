//! A mock server at a socket of its own, whose script is a closure over each connection's stream.
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

pub struct MockServer {
    directory: TempDir,
    name: String,
}

impl MockServer {
    /// Serves one connection after another, each by a call of `script` with its number, until the test ends.
    pub fn new(script: impl FnMut(usize, &mut Wire) + Send + 'static) -> Self {
        MockServer::named("db.sock", script)
    }

    pub fn named(name: &str, mut script: impl FnMut(usize, &mut Wire) + Send + 'static) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(directory.path().join(name)).unwrap();
        // ends with the test's process: nobody waits for it
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                script(
                    number,
                    &mut Wire {
                        stream: stream.unwrap(),
                        bytes: Vec::new(),
                    },
                );
            }
        });
        MockServer {
            directory,
            name: name.to_owned(),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.directory.path().join(&self.name)
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// The server's end of one connection.
pub struct Wire {
    pub stream: UnixStream,
    bytes: Vec<u8>,
}

impl Wire {
    /// The client's next message; `None` once it has closed.
    pub fn next(&mut self) -> Option<Json> {
        loop {
            // a message ends in a brace: looking only then keeps long ones from being parsed again and again
            if self.bytes.ends_with(b"}") {
                let mut texts =
                    serde_json::Deserializer::from_slice(&self.bytes).into_iter::<Json>();
                if let Some(Ok(message)) = texts.next() {
                    let end = texts.byte_offset();
                    self.bytes.drain(..end);
                    return Some(message);
                }
            }
            let mut buffer = [0; 1 << 16];
            match self.stream.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.bytes.extend(&buffer[..count]),
            }
        }
    }

    /// The client's next request, which must be of this method.
    pub fn expect(&mut self, method: &str) -> Json {
        let request = self.next().expect("a request");
        assert_eq!(request["method"], method, "{request}");
        request
    }

    /// Bytes as they are; a client that has closed is no fault of the script.
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref());
    }

    pub fn reply(&mut self, request: &Json, result: &Json) {
        self.say(reply(request, result));
    }
}

/// The text of a good reply.
pub fn reply(request: &Json, result: &Json) -> String {
    json!({ "id": request["id"], "result": result, "error": null }).to_string()
}
