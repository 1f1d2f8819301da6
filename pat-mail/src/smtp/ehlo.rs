//! The name with which a mailer greets the mail server (`EHLO`).

use std::net::IpAddr;

use lettre::transport::smtp::extension::ClientId;

/// Returns the given name, else the machine's full name, else the address of the connection's own end
/// (RFC 5321, section 4.1.4). Strict servers refuse a machine's short name, such as `vm`.
pub(crate) fn client_id(given: Option<&ClientId>, local: IpAddr) -> ClientId {
    given
        .cloned()
        .or_else(|| full_name(ClientId::default()))
        .unwrap_or_else(|| literal(local))
}

/// Parses a host name, or an address as in SMTP: `[192.0.2.1]` or `[IPv6:2001:db8::1]`.
pub(crate) fn parse(text: &str) -> Option<ClientId> {
    let inner = text.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    match inner {
        None => is_host_name(text).then(|| ClientId::Domain(text.to_owned())),
        Some(inner) => match inner.strip_prefix("IPv6:") {
            Some(address) => address.parse().ok().map(ClientId::Ipv6),
            None => inner.parse().ok().map(ClientId::Ipv4),
        },
    }
}

fn full_name(machine: ClientId) -> Option<ClientId> {
    let ClientId::Domain(name) = &machine else {
        return None;
    };
    let (_, domain) = name.split_once('.')?;
    let is_full = is_host_name(name) && domain != "localdomain" && name.parse::<IpAddr>().is_err();
    is_full.then_some(machine)
}

fn is_host_name(name: &str) -> bool {
    let is_label = |label: &str| {
        let is_clean = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len())
            && label.bytes().all(is_clean)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(is_label)
}

fn literal(address: IpAddr) -> ClientId {
    match address.to_canonical() {
        IpAddr::V4(address) => ClientId::Ipv4(address),
        IpAddr::V6(address) => ClientId::Ipv6(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_full_name_of_the_machine_is_used() {
        for (machine, is_used) in [
            ("mail.example.com", true),
            ("vm", false),
            ("localhost", false),
            ("localhost.localdomain", false),
            ("my_vm.example.com", false),
            ("192.0.2.1", false),
            ("vm.", false),
            ("", false),
        ] {
            let name = full_name(ClientId::Domain(machine.to_owned()));
            assert_eq!(name.is_some(), is_used, "{machine}");
        }
    }

    #[test]
    fn addresses_are_in_brackets() {
        for (address, shown) in [
            ("192.0.2.1", "[192.0.2.1]"),
            ("2001:db8::1", "[IPv6:2001:db8::1]"),
            ("::ffff:192.0.2.1", "[192.0.2.1]"),
        ] {
            let client = literal(address.parse().unwrap());
            assert_eq!(client.to_string(), shown);
            assert_eq!(parse(shown), Some(client));
        }
    }
}
