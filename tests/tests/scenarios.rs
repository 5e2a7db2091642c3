//! The scenarios of losing a port, with the real plugin, daemon and Open vSwitch of the rig.

fn main() -> std::process::ExitCode {
    tests::scenarios::all().run()
}
