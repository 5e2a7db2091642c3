//! Open vSwitch: OVSDB client after RFC 7047, ports, bridges, process watch.
