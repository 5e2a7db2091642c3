//! Harness and suites: fresh namespaces, a private OVS per test, the VM.
