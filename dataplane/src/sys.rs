//! The calls of bpf(2) that the loader library has not: one function each.
#![allow(unsafe_code, reason = "bpf(2) takes a union of structures")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::migrate::Layout;

const OBJ_PIN: libc::c_int = 6;
const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const PROG_QUERY: libc::c_int = 16;
const LINK_CREATE: libc::c_int = 28;
const LINK_UPDATE: libc::c_int = 29;

/// `BPF_F_QUERY_EFFECTIVE`.
const EFFECTIVE: u32 = 1;

/// How many programs a cgroup is expected to run at one hook; more are an error.
const PROGRAMS_MAX: usize = 64;

/// Calls bpf(2).
fn bpf<T>(command: libc::c_int, attributes: &mut T) -> io::Result<libc::c_long> {
    // SAFETY: `attributes` is one of the structures below, laid out as the kernel has it,
    // lives for the call, and its size is told; pointers in it are made from live values.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_mut(attributes),
            size_of::<T>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[repr(C)]
struct ObjGet {
    path: u64,
    fd: u32,
    flags: u32,
}

/// Opens what is pinned at `path`.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = ObjGet {
        path: name.as_ptr() as u64,
        fd: 0,
        flags: 0,
    };
    let fd = bpf(OBJ_GET, &mut attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Pins what a descriptor stands for at `path`.
pub fn pin(object: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut attributes = ObjGet {
        path: name.as_ptr() as u64,
        fd: raw(object),
        flags: 0,
    };
    bpf(OBJ_PIN, &mut attributes).map(drop)
}

/// A hook of a device (`enum bpf_attach_type`).
#[derive(Debug, Clone, Copy)]
#[repr(u32)]
pub enum TcxHook {
    /// `BPF_TCX_INGRESS`.
    Ingress = 46,
    /// `BPF_TCX_EGRESS`.
    Egress = 47,
}

impl TcxHook {
    /// The same by the loader library's name.
    pub fn of(hook: aya::programs::TcAttachType) -> Self {
        match hook {
            aya::programs::TcAttachType::Egress => Self::Egress,
            _ => Self::Ingress,
        }
    }
}

#[repr(C)]
struct LinkCreate {
    program: u32,
    target: u32,
    hook: u32,
    flags: u32,
    relative: u32,
    pad: u32,
    revision: u64,
}

/// Links a program to a device, before those that are there.
pub fn link_device(program: BorrowedFd<'_>, device: u32, hook: TcxHook) -> io::Result<OwnedFd> {
    /// `BPF_F_BEFORE`, without a relative: before all.
    const BEFORE: u32 = 1 << 3;
    let mut attributes = LinkCreate {
        program: raw(program),
        target: device,
        hook: hook as u32,
        flags: BEFORE,
        relative: 0,
        pad: 0,
        revision: 0,
    };
    let fd = bpf(LINK_CREATE, &mut attributes)?;
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    // SAFETY: the kernel has just made it for us, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

#[repr(C)]
struct LinkUpdate {
    link: u32,
    program: u32,
    flags: u32,
    old_program: u32,
}

/// Puts another program behind a link, in one step: no call meets none.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let mut attributes = LinkUpdate {
        link: raw(link),
        program: raw(program),
        flags: 0,
        old_program: 0,
    };
    bpf(LINK_UPDATE, &mut attributes).map(drop)
}

#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// `struct bpf_link_info` of a link to a cgroup, as far as it is needed.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct CgroupLink {
    kind: u32,
    id: u32,
    /// Id of the program behind it.
    pub program: u32,
    pad: u32,
    /// Id of the cgroup, which is its inode; 0 once it is gone.
    pub cgroup: u64,
    /// Kind of the hook.
    pub hook: u32,
    pad2: u32,
}

/// What a link to a cgroup links.
pub fn cgroup_link(link: BorrowedFd<'_>) -> io::Result<CgroupLink> {
    let mut info = CgroupLink::default();
    let mut attributes = Info {
        fd: raw(link),
        length: u32::try_from(size_of::<CgroupLink>()).map_err(io::Error::other)?,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(info)
}

/// `struct bpf_link_info` of a link to a device, tcx or XDP, as far as it is needed.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
pub struct DeviceLink {
    kind: u32,
    id: u32,
    /// Id of the program behind it.
    pub program: u32,
    pad: u32,
    /// Index of the device; 0 once it is gone.
    pub device: u32,
    /// Kind of the hook; 0 for XDP.
    pub hook: u32,
}

/// What a link to a device links.
pub fn device_link(link: BorrowedFd<'_>) -> io::Result<DeviceLink> {
    let mut info = DeviceLink::default();
    let mut attributes = Info {
        fd: raw(link),
        length: u32::try_from(size_of::<DeviceLink>()).map_err(io::Error::other)?,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(info)
}

/// The head of `struct bpf_map_info`.
#[repr(C)]
#[derive(Debug, Default, Clone, Copy)]
struct MapInfo {
    kind: u32,
    id: u32,
    key: u32,
    value: u32,
    entries: u32,
    flags: u32,
}

/// How a map is laid out.
pub fn map_layout(map: BorrowedFd<'_>) -> io::Result<Layout> {
    let mut info = MapInfo::default();
    let mut attributes = Info {
        fd: raw(map),
        length: u32::try_from(size_of::<MapInfo>()).map_err(io::Error::other)?,
        info: std::ptr::from_mut(&mut info) as u64,
    };
    bpf(OBJ_GET_INFO_BY_FD, &mut attributes)?;
    Ok(Layout {
        kind: info.kind,
        key: info.key,
        value: info.value,
        entries: info.entries,
    })
}

#[repr(C)]
struct Query {
    target: u32,
    hook: u32,
    query_flags: u32,
    attach_flags: u32,
    programs: u64,
    count: u32,
    pad: u32,
    /// Newer kernels have more here, and want it to be zero.
    rest: [u64; 4],
}

/// Ids of the programs that really run for processes of a cgroup at a hook, inherited ones
/// included.
pub fn effective(cgroup: BorrowedFd<'_>, hook: u32) -> io::Result<Vec<u32>> {
    let mut programs = [0_u32; PROGRAMS_MAX];
    let mut attributes = Query {
        target: raw(cgroup),
        hook,
        query_flags: EFFECTIVE,
        attach_flags: 0,
        programs: programs.as_mut_ptr() as u64,
        count: PROGRAMS_MAX as u32,
        pad: 0,
        rest: [0; 4],
    };
    bpf(PROG_QUERY, &mut attributes)?;
    let count = usize::try_from(attributes.count).unwrap_or(PROGRAMS_MAX);
    Ok(programs[..count.min(PROGRAMS_MAX)].to_vec())
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}
