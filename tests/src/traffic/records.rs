//! The numbered records of a TCP session, and the account of what became of them.
//!
//! A record's every byte follows from its number, so the receiver needs to know nothing of the sender to find
//! what is missing, repeated or changed.

/// Bytes of a record: a mark, the number, and a pattern made of the number.
pub(super) const SIZE: usize = 512;

const MARK: [u8; 4] = *b"brth";

/// Record `number` as it goes over the wire.
pub(super) fn record(number: u64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    let seed = number.to_be_bytes();
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = seed[index % 8].wrapping_add(index as u8);
    }
    bytes[..4].copy_from_slice(&MARK);
    bytes[4..12].copy_from_slice(&seed);
    bytes
}

/// The account of a received stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Bytes of records that came whole.
    pub bytes: u64,
    /// Bytes of records that were passed over by a later one.
    pub lost: u64,
    /// Bytes of records that came again, or after a later one.
    pub duplicated: u64,
    /// Bytes that belong to no record.
    pub corrupted: u64,
    next: u64,
    pending: Vec<u8>,
}

impl Tally {
    /// Takes the next bytes of the stream, however they are cut; returns how many whole records they completed.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> u64 {
        self.pending.extend_from_slice(bytes);
        let mut whole = 0;
        let mut at = 0;
        while let Some(candidate) = self.pending.get(at..at + SIZE) {
            let number = candidate[4..12]
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte));
            if candidate == record(number) {
                self.count(number);
                whole += 1;
                at += SIZE;
            } else {
                self.corrupted += 1;
                at += 1;
            }
        }
        self.pending.drain(..at);
        whole
    }

    /// The number of the record that should come next: as many came or were passed over.
    pub(super) fn next(&self) -> u64 {
        self.next
    }

    /// Closes the account of a stream of which `sent` records were sent.
    pub(super) fn close(&mut self, sent: u64) {
        self.corrupted += self.pending.len() as u64;
        self.pending.clear();
        self.lost += sent.saturating_sub(self.next) * SIZE as u64;
        self.next = self.next.max(sent);
    }

    fn count(&mut self, number: u64) {
        let size = SIZE as u64;
        self.bytes += size;
        if number < self.next {
            self.duplicated += size;
        } else {
            self.lost += (number - self.next) * size;
            self.next = number + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(stream: &[u8], sent: u64) -> Tally {
        let mut tally = Tally::default();
        for piece in stream.chunks(7) {
            tally.feed(piece);
        }
        tally.close(sent);
        tally
    }

    fn stream(numbers: &[u64]) -> Vec<u8> {
        numbers.iter().flat_map(|number| record(*number)).collect()
    }

    fn counts(stream: &[u8], sent: u64) -> (u64, u64, u64, u64) {
        let Tally {
            bytes,
            lost,
            duplicated,
            corrupted,
            ..
        } = tally(stream, sent);
        (
            bytes / SIZE as u64,
            lost / SIZE as u64,
            duplicated / SIZE as u64,
            corrupted,
        )
    }

    #[test]
    fn a_whole_stream_has_nothing_lost_repeated_or_changed() {
        assert_eq!(counts(&stream(&[0, 1, 2, 3]), 4), (4, 0, 0, 0));
    }

    #[test]
    fn a_gap_in_the_middle_and_at_the_end_is_lost() {
        assert_eq!(counts(&stream(&[0, 3, 4]), 7), (3, 4, 0, 0));
    }

    #[test]
    fn a_repeated_record_is_duplicated() {
        assert_eq!(counts(&stream(&[0, 1, 1, 2]), 3), (4, 0, 1, 0));
    }

    #[test]
    fn a_changed_byte_costs_its_record() {
        let mut bytes = stream(&[0, 1, 2]);
        bytes[SIZE + 100] ^= 1;
        assert_eq!(counts(&bytes, 3), (2, 1, 0, SIZE as u64));
    }

    #[test]
    fn a_missing_byte_is_found_and_the_rest_still_read() {
        let mut bytes = stream(&[0, 1, 2]);
        bytes.remove(SIZE + 100);
        assert_eq!(counts(&bytes, 3), (2, 1, 0, SIZE as u64 - 1));
    }

    #[test]
    fn the_end_cut_off_is_lost_and_its_stump_corrupted() {
        let bytes = stream(&[0, 1]);
        assert_eq!(counts(&bytes[..SIZE + 9], 2), (1, 1, 0, 9));
    }
}
