//! Cuts a byte stream into JSON objects, the messages of JSON-RPC over a stream socket.
//!
//! OVSDB puts nothing between messages, so where one ends is known only by following strings and
//! brackets. That is done once per byte, as bytes come, whatever the pieces they come in.

/// The stream cannot be cut into messages; nothing after this point can be trusted.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// a message does not begin with `{`
    #[error("byte {byte:#04x} at offset {offset} of the stream, expected {{ of a message")]
    NotAMessage {
        /// what was there
        byte: u8,
        /// bytes of the stream before it
        offset: u64,
    },
    /// a bracket closes one of the other kind
    #[error("byte {byte:#04x} at offset {offset} of the stream closes a bracket of the other kind")]
    Mismatched {
        /// the closing bracket
        byte: u8,
        /// bytes of the stream before it
        offset: u64,
    },
    /// brackets inside brackets beyond any message of OVSDB
    #[error("message nested more than {limit} deep at offset {offset} of the stream")]
    TooDeep {
        /// greatest depth allowed
        limit: usize,
        /// bytes of the stream before it
        offset: u64,
    },
    /// a message that goes on and on
    #[error("message of more than {limit} bytes")]
    TooLong {
        /// greatest length allowed, in bytes
        limit: usize,
    },
}

/// Collects bytes and gives back whole messages.
#[derive(Debug)]
pub struct Splitter {
    bytes: Vec<u8>,
    /// bytes of `bytes` that were given out as messages
    taken: usize,
    /// bytes of `bytes` that were looked at
    scanned: usize,
    /// bytes of the stream before `bytes`
    offset: u64,
    /// closing brackets still to come, innermost last
    open: Vec<u8>,
    in_string: bool,
    escaped: bool,
    longest: usize,
}

impl Splitter {
    /// Greatest depth of brackets. OVSDB's own messages stay below 16; serde_json gives up at 128.
    pub const DEEPEST: usize = 100;

    /// Greatest length of a message in bytes: a replica of some ten thousand ports.
    pub const LONGEST: usize = 256 << 20;

    /// Largest buffer kept for the next message, in bytes.
    const KEPT: usize = 1 << 20;

    /// A splitter at the beginning of a stream.
    pub fn new() -> Self {
        Splitter::with_longest(Self::LONGEST)
    }

    /// A splitter that takes messages of at most `longest` bytes.
    pub fn with_longest(longest: usize) -> Self {
        Splitter {
            bytes: Vec::new(),
            taken: 0,
            scanned: 0,
            offset: 0,
            open: Vec::new(),
            in_string: false,
            escaped: false,
            longest,
        }
    }

    /// Takes the next bytes of the stream.
    pub fn push(&mut self, bytes: &[u8]) {
        // what was given out is dropped only here, and only when that is the larger part: amortised O(1)
        if self.taken > 0 && self.taken >= self.bytes.len() - self.taken {
            self.bytes.drain(..self.taken);
            self.scanned -= self.taken;
            self.offset += self.taken as u64;
            self.taken = 0;
            // the first copy of the database may be megabytes, what follows is small
            if self.bytes.is_empty() && self.bytes.capacity() > Self::KEPT {
                self.bytes = Vec::new();
            }
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// True if the stream may end here: no message is begun.
    pub fn is_between_messages(&self) -> bool {
        self.open.is_empty() && self.bytes[self.taken..].iter().all(u8::is_ascii_whitespace)
    }

    /// The next whole message, or `None` until more bytes come. After an error it keeps failing.
    pub fn next_message(&mut self) -> Result<Option<&[u8]>, Error> {
        while let Some(&byte) = self.bytes.get(self.scanned) {
            let offset = self.offset + self.scanned as u64;
            if self.in_string {
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_string = false,
                    _ => {}
                }
            } else if self.open.is_empty() {
                match byte {
                    b'{' => {
                        self.taken = self.scanned;
                        self.open.push(b'}');
                    }
                    _ if byte.is_ascii_whitespace() => self.taken = self.scanned + 1,
                    _ => return Err(Error::NotAMessage { byte, offset }),
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'{' | b'[' if self.open.len() == Self::DEEPEST => {
                        return Err(Error::TooDeep {
                            limit: Self::DEEPEST,
                            offset,
                        });
                    }
                    b'{' => self.open.push(b'}'),
                    b'[' => self.open.push(b']'),
                    b'}' | b']' => {
                        if self.open.last() != Some(&byte) {
                            return Err(Error::Mismatched { byte, offset });
                        }
                        self.open.pop();
                    }
                    _ => {}
                }
            }
            self.scanned += 1;
            if self.scanned - self.taken > self.longest {
                self.scanned -= 1;
                return Err(Error::TooLong {
                    limit: self.longest,
                });
            }
            if self.open.is_empty() && self.taken < self.scanned {
                let start = std::mem::replace(&mut self.taken, self.scanned);
                return Ok(Some(&self.bytes[start..self.scanned]));
            }
        }
        Ok(None)
    }
}

impl Default for Splitter {
    fn default() -> Self {
        Splitter::new()
    }
}
