//! The kernel module unloaded and loaded again under attached pods, one trial at a time.

fn main() -> std::process::ExitCode {
    tests::scenarios::reload().run()
}
