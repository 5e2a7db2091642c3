//! CNI_ARGS as host-local understands it: `IP` and `IgnoreUnknown`.

use std::net::IpAddr;

use crate::address;
use crate::config_error::ConfigError;

/// The address that `IP=` asks for, if any. An empty value asks for none.
pub(crate) fn requested_address(args: &str) -> Result<Option<IpAddr>, ConfigError> {
    if args.is_empty() {
        return Ok(None);
    }
    let (mut requested, mut ignore_unknown, mut unknown) = (None, false, Vec::new());
    for pair in args.split(';') {
        let (key, value) = pair
            .split_once('=')
            .filter(|(_, value)| !value.contains('='))
            .ok_or_else(|| ConfigError::ArgsPair {
                pair: pair.to_owned(),
            })?;
        match key {
            "IP" => requested = parse_address(value)?,
            "IgnoreUnknown" => ignore_unknown = parse_bool(value)?,
            _ => unknown.push(pair.to_owned()),
        }
    }
    if unknown.is_empty() || ignore_unknown {
        Ok(requested)
    } else {
        Err(ConfigError::ArgsUnknown { pairs: unknown })
    }
}

/// One address, with or without a prefix length.
pub(crate) fn parse_address(value: &str) -> Result<Option<IpAddr>, ConfigError> {
    if value.is_empty() {
        return Ok(None);
    }
    address::parse_with_optional_prefix(value)
        .map(Some)
        .ok_or_else(|| ConfigError::ArgsValue {
            key: "IP",
            value: value.to_owned(),
            expected: "an IP address",
        })
}

fn parse_bool(value: &str) -> Result<bool, ConfigError> {
    match value.to_ascii_lowercase().as_str() {
        "1" | "true" => Ok(true),
        "0" | "false" => Ok(false),
        _ => Err(ConfigError::ArgsValue {
            key: "IgnoreUnknown",
            value: value.to_owned(),
            expected: "1, true, 0 or false",
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_need_leave() {
        assert_eq!(
            requested_address("K8S_POD_NAME=a;IgnoreUnknown=1;IP=10.0.0.4"),
            Ok(address::parse("10.0.0.4"))
        );
        assert_eq!(requested_address("IgnoreUnknown=TRUE;X=y"), Ok(None));
        let refused = requested_address("MAC=02:00:00:00:00:01;IP=10.0.0.4").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "CNI_ARGS: unknown [\"MAC=02:00:00:00:00:01\"]"
        );
        assert!(requested_address("IgnoreUnknown=0;X=y").is_err());
    }

    #[test]
    fn malformed_args_are_named() {
        for (args, message) in [
            ("IP", "CNI_ARGS: \"IP\" is not KEY=VALUE"),
            ("IP=10.0.0.1;", "CNI_ARGS: \"\" is not KEY=VALUE"),
            ("IP=a=b", "CNI_ARGS: \"IP=a=b\" is not KEY=VALUE"),
            (
                "IP=10.0.0.300",
                "CNI_ARGS: IP: \"10.0.0.300\" is not an IP address",
            ),
            (
                "IgnoreUnknown=maybe",
                "CNI_ARGS: IgnoreUnknown: \"maybe\" is not 1, true, 0 or false",
            ),
        ] {
            assert_eq!(requested_address(args).unwrap_err().to_string(), message);
        }
        assert_eq!(requested_address("IP="), Ok(None));
        assert_eq!(requested_address(""), Ok(None));
    }
}
