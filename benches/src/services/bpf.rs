//! Small programs of the benches' own, written in instructions: what sends frames at a device as a driver would, what
//! sends them back, and what takes them away. A compiler for a dozen instructions would be one more thing to install.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::libc;

/// Commands of the system call.
const PROG_LOAD: libc::c_int = 5;
const PROG_TEST_RUN: libc::c_int = 10;
const LINK_CREATE: libc::c_int = 28;

/// The kind of program, and of its attachment.
const XDP: u32 = 6;
const AT_XDP: u32 = 37;

/// Attached in the driver, not where the kernel has made a buffer already.
const IN_DRIVER: u32 = 1 << 2;

/// Frames go where the program sends them, instead of nowhere.
const LIVE_FRAMES: u32 = 1 << 1;

/// Answers of a program.
const DROP: i32 = 1;
const TX: i32 = 3;

/// Functions of the kernel.
const RANDOM: i32 = 7;
const REDIRECT: i32 = 23;

/// Bytes of a frame with 64 on the wire, the last four of which no driver shows.
pub const FRAME: usize = 60;

/// How many bytes of it are headers, in whole words.
const HEADERS: usize = 48;

/// Where the low byte of the source port is.
const SOURCE_PORT: i16 = 14 + 20 + 1;

/// How many flows there are: bits of the source port that are chance.
pub const FLOWS: i32 = 64;

type Instruction = [u8; 8];

fn instruction(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    let [o0, o1] = offset.to_le_bytes();
    let [v0, v1, v2, v3] = value.to_le_bytes();
    [code, from << 4 | to, o0, o1, v0, v1, v2, v3]
}

/// `to = value`
fn set(to: u8, value: i32) -> Instruction {
    instruction(0xb7, to, 0, 0, value)
}

/// `to = from`
fn copy(to: u8, from: u8) -> Instruction {
    instruction(0xbf, to, from, 0, 0)
}

/// `to += value`
fn add(to: u8, value: i32) -> Instruction {
    instruction(0x07, to, 0, 0, value)
}

/// `to &= value`
fn and(to: u8, value: i32) -> Instruction {
    instruction(0x57, to, 0, 0, value)
}

/// A load of so many bytes: `to = *(from + offset)`
fn load(bytes: u8, to: u8, from: u8, offset: i16) -> Instruction {
    instruction(0x61 | size(bytes), to, from, offset, 0)
}

/// A store of so many bytes: `*(to + offset) = from`
fn store(bytes: u8, to: u8, offset: i16, from: u8) -> Instruction {
    instruction(0x63 | size(bytes), to, from, offset, 0)
}

fn size(bytes: u8) -> u8 {
    match bytes {
        1 => 0x10,
        2 => 0x08,
        8 => 0x18,
        _ => 0x00,
    }
}

/// `if a > b` passes over so many instructions.
fn skip_if_greater(a: u8, b: u8, instructions: i16) -> Instruction {
    instruction(0x2d, a, b, instructions, 0)
}

fn call(function: i32) -> Instruction {
    instruction(0x85, 0, 0, 0, function)
}

fn exit() -> Instruction {
    instruction(0x95, 0, 0, 0, 0)
}

/// `to = value`, of 64 bits.
fn set_wide(to: u8, value: u64) -> [Instruction; 2] {
    let (low, high) = (value as u32, (value >> 32) as u32);
    [
        instruction(0x18, to, 0, 0, low.cast_signed()),
        instruction(0, 0, 0, 0, high.cast_signed()),
    ]
}

/// Puts the frame in r6, or goes to what follows `length` instructions later if it is shorter than its headers.
fn frame(length: i16) -> Vec<Instruction> {
    vec![
        load(4, 6, 1, 0),
        load(4, 3, 1, 4),
        copy(4, 6),
        add(4, HEADERS as i32),
        skip_if_greater(4, 3, length),
    ]
}

/// What takes every frame away.
pub fn sink() -> Vec<Instruction> {
    vec![set(0, DROP), exit()]
}

/// What sends every frame back to where it came from, and does nothing else: the limit.
pub fn echo() -> Vec<Instruction> {
    let swap = [
        load(4, 2, 6, 0),
        load(2, 3, 6, 4),
        load(4, 4, 6, 6),
        load(2, 5, 6, 10),
        store(4, 6, 6, 2),
        store(2, 6, 10, 3),
        store(4, 6, 0, 4),
        store(2, 6, 4, 5),
        set(0, TX),
        exit(),
    ];
    let mut program = frame(swap.len() as i16);
    program.extend(swap);
    program.extend([set(0, DROP), exit()]);
    program
}

/// What writes the frame, from one of [`FLOWS`] ports, and sends it out of a device: a frame that comes round again
/// has been changed on its way.
pub fn source(headers: &[u8; FRAME], device: u32) -> Vec<Instruction> {
    let mut body = Vec::new();
    for (index, word) in headers[..HEADERS].chunks_exact(8).enumerate() {
        let word = u64::from_le_bytes(word.try_into().expect("chunks of eight bytes"));
        body.extend(set_wide(5, word));
        body.push(store(8, 6, index as i16 * 8, 5));
    }
    body.extend([
        call(RANDOM),
        and(0, FLOWS - 1),
        store(1, 6, SOURCE_PORT, 0),
        set(1, device.cast_signed()),
        set(2, 0),
        call(REDIRECT),
        exit(),
    ]);
    let mut program = frame(body.len() as i16);
    program.extend(body);
    program.extend([set(0, DROP), exit()]);
    program
}

/// A loaded program.
#[derive(Debug)]
pub struct Program(OwnedFd);

/// A program at a device; dropped, it is taken off.
#[derive(Debug)]
pub struct Link {
    _link: OwnedFd,
}

impl Program {
    /// Gives a program to the kernel.
    ///
    /// # Errors
    /// When it refuses it.
    pub fn load(instructions: &[Instruction]) -> Result<Self> {
        #[repr(C)]
        struct Load {
            kind: u32,
            count: u32,
            instructions: u64,
            license: u64,
            log_level: u32,
            log_size: u32,
            log: u64,
        }
        let mut load = Load {
            kind: XDP,
            count: u32::try_from(instructions.len())?,
            instructions: instructions.as_ptr() as u64,
            license: c"Apache-2.0".as_ptr() as u64,
            log_level: 0,
            log_size: 0,
            log: 0,
        };
        // SAFETY: instructions and licence outlive the call, which reads as much as is told.
        let fd = unsafe { bpf(PROG_LOAD, &mut load) }.context("the kernel refuses a program")?;
        // SAFETY: a descriptor that nobody else has.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Puts it at a device of this thread's namespace, in its driver.
    ///
    /// # Errors
    /// When the kernel refuses it there.
    pub fn attach(&self, device: u32) -> Result<Link> {
        #[repr(C)]
        struct Create {
            program: u32,
            device: u32,
            hook: u32,
            flags: u32,
        }
        let mut create = Create {
            program: self.0.as_raw_fd().cast_unsigned(),
            device,
            hook: AT_XDP,
            flags: IN_DRIVER,
        };
        // SAFETY: takes integers.
        let fd = unsafe { bpf(LINK_CREATE, &mut create) }.context("a device takes no program")?;
        // SAFETY: as above.
        let link = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Link { _link: link })
    }

    /// Runs it on so many frames, which go where it sends them; how long that took.
    ///
    /// # Errors
    /// When the kernel cannot.
    pub fn send(&self, frames: u32) -> Result<Duration> {
        #[repr(C)]
        #[derive(Default)]
        struct Run {
            program: u32,
            answer: u32,
            size_in: u32,
            size_out: u32,
            data_in: u64,
            data_out: u64,
            repeat: u32,
            duration: u32,
            context_size: [u32; 2],
            context: [u64; 2],
            flags: u32,
            cpu: u32,
            batch: u32,
            pad: u32,
        }
        let data = [0_u8; FRAME];
        let mut run = Run {
            program: self.0.as_raw_fd().cast_unsigned(),
            size_in: FRAME as u32,
            data_in: data.as_ptr() as u64,
            repeat: frames,
            flags: LIVE_FRAMES,
            ..Run::default()
        };
        let begin = Instant::now();
        // SAFETY: the data outlives the call, which reads as much as is told.
        let answer = unsafe { bpf(PROG_TEST_RUN, &mut run) }.context("frames cannot be sent")?;
        let elapsed = begin.elapsed();
        ensure!(answer == 0, "frames were sent with answer {answer}");
        Ok(elapsed)
    }
}

/// # Safety
/// What addresses in `attributes` point at has to be as the command wants it.
unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<i32> {
    let attributes: *mut T = attributes;
    // SAFETY: as much is read as there is; the rest is as the caller says.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    match i32::try_from(answer) {
        Ok(answer @ 0..) => Ok(answer),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_end_at_the_last_two_instructions() {
        for program in [echo(), source(&[0; FRAME], 1)] {
            let skip = i16::from_le_bytes([program[4][2], program[4][3]]);
            assert_eq!(5 + usize::try_from(skip).unwrap() + 2, program.len());
        }
    }

    #[test]
    fn a_wide_value_is_in_two_halves() {
        let [low, high] = set_wide(5, 0x0807_0605_0403_0201);
        assert_eq!(
            (&low[4..], &high[4..]),
            (&[1, 2, 3, 4][..], &[5, 6, 7, 8][..])
        );
    }
}
