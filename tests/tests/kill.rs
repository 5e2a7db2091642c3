//! The plugin dies at every one of its system calls.

fn main() -> std::process::ExitCode {
    tests::kill::all().run()
}
