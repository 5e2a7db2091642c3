//! The client of [`tests::traffic::talk`] as a program, to be run in a namespace and a cgroup.

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    tests::traffic::talk(&arguments)
}
