//! Which addresses may be called. Whoever can write an action in the portal names the address; a
//! private one is called only where whoever runs this service has allowed it.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::Url;
use reqwest::dns::{Name, Resolve, Resolving};

/// The private addresses that may be called.
#[derive(Debug, Clone, Default)]
pub(super) struct Network(Arc<Vec<Allowed>>);

#[derive(Debug, PartialEq, Eq)]
enum Allowed {
    /// `10.1.0.0/16`, `10.1.2.3`.
    Addresses(IpNet),
    /// `jenkins.local`.
    Host(String),
    /// `*.svc.cluster.local`, without the star: every host below it.
    HostsBelow(String),
}

/// An address that may not be called. A sentence for the person who pressed the button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Forbidden(String);

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Forbidden {}

impl Network {
    /// Reads a list of addresses, ranges and names of hosts.
    pub(super) fn parse(list: &[String]) -> Result<Self, String> {
        let allowed: Result<Vec<_>, String> =
            list.iter().map(|entry| Allowed::parse(entry)).collect();
        Ok(Self(Arc::new(allowed?)))
    }

    /// Whether a URL may be called, as far as it can be told without resolving its host. What a
    /// host resolves to is looked at when it is connected to.
    pub(super) fn check(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden(format!("{} is no address of http or https.", url.scheme())));
        }
        let Some(host) = url.host_str() else {
            return Err(Forbidden("The address names no host.".to_owned()));
        };
        match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.permit(&address.to_canonical().to_string(), address),
            Err(_name) => Ok(()),
        }
    }

    fn permit(&self, host: &str, address: IpAddr) -> Result<(), Forbidden> {
        let address = address.to_canonical();
        if !is_private(address) || self.0.iter().any(|allowed| allowed.is(host, address)) {
            return Ok(());
        }
        let said = if host == address.to_string() {
            format!("{address} is a private address")
        } else {
            format!("{host} is at {address}, a private address")
        };
        Err(Forbidden(format!(
            "{said}, which TOWPATH_AGENT_ALLOW does not allow. Add the host or the address there, \
             where this service runs, if its actions may call it."
        )))
    }
}

impl Allowed {
    fn parse(entry: &str) -> Result<Self, String> {
        if let Ok(range) = entry.parse() {
            return Ok(Self::Addresses(range));
        }
        if let Ok(address) = entry.parse::<IpAddr>() {
            return Ok(Self::Addresses(address.into()));
        }
        let name = entry.strip_prefix("*.").unwrap_or(entry);
        let is_name = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
        if !is_name {
            return Err(format!(
                "{entry:?} is no address, no range as 10.0.0.0/8, and no host as jenkins.local or *.svc.cluster.local"
            ));
        }
        let name = name.to_ascii_lowercase();
        Ok(if entry.starts_with("*.") { Self::HostsBelow(name) } else { Self::Host(name) })
    }

    fn is(&self, host: &str, address: IpAddr) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        match self {
            Self::Addresses(range) => range.contains(&address),
            Self::Host(name) => host == *name,
            Self::HostsBelow(name) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
        }
    }
}

/// Whether an address is not one of the public internet's: IANA's registries of special-purpose
/// addresses.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => is_private_v6(address),
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && matches!(b, 18 | 19))
}

fn is_private_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // What carries an address of the other kind inside is as private as that one.
    let inner = match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from((u32::from(high) << 16) | u32::from(low)))
        }
        _ => None,
    };
    inner.is_some_and(is_private_v4)
        // Only 2000::/3 is given out; the translation prefix is looked into above.
        || (segments[0] & 0xe000 != 0x2000 && inner.is_none())
        || segments[0] == 0x2001 && (segments[1] == 0 || segments[1] == 0xdb8)
}

/// Resolves names as the system does, and gives out only what may be called: what was looked at is
/// what is connected to.
impl Resolve for Network {
    fn resolve(&self, name: Name) -> Resolving {
        let network = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (mut permitted, mut forbidden) = (Vec::<SocketAddr>::new(), None);
            for address in found {
                match network.permit(name.as_str(), address.ip()) {
                    Ok(()) => permitted.push(address),
                    Err(reason) => forbidden = Some(reason),
                }
            }
            match forbidden {
                Some(reason) if permitted.is_empty() => Err(reason.into()),
                _ => Ok(Box::new(permitted.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

/// The refusal of this network that an error of the client came from.
pub(super) fn forbidden_by(error: &reqwest::Error) -> Option<Forbidden> {
    let mut source: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = source {
        if let Some(forbidden) = error.downcast_ref::<Forbidden>() {
            return Some(forbidden.clone());
        }
        source = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(list: &[&str]) -> Network {
        let list: Vec<String> = list.iter().map(|entry| (*entry).to_owned()).collect();
        Network::parse(&list).unwrap()
    }

    fn is_allowed(network: &Network, url: &str) -> bool {
        network.check(&Url::parse(url).unwrap()).is_ok()
    }

    #[test]
    fn what_is_not_of_the_public_internet_is_called_only_where_it_is_allowed() {
        let closed = network(&[]);
        for url in [
            "http://127.0.0.1",
            "http://2130706433",
            "http://0x7f.1",
            "http://0",
            "http://10.1.2.3",
            "http://172.31.0.1",
            "http://192.168.1.1",
            "http://169.254.169.254/latest",
            "http://100.64.0.1",
            "http://[::1]",
            "http://[::]",
            "http://[fd00::1]",
            "http://[fe80::1]",
            "http://[::ffff:10.0.0.1]",
            "http://[64:ff9b::a00:1]",
            "http://[2002:a00:1::]",
            "http://[::127.0.0.1]",
            "http://224.0.0.1",
            "http://255.255.255.255",
            "http://192.0.0.8",
            "http://198.18.0.1",
        ] {
            assert!(!is_allowed(&closed, url), "{url}");
        }
        for url in ["https://8.8.8.8", "https://[2606:4700::1111]", "https://[64:ff9b::808:808]"] {
            assert!(is_allowed(&closed, url), "{url}");
        }
        assert!(!is_allowed(&closed, "ftp://8.8.8.8"));
        let open = network(&["10.1.0.0/16", "127.0.0.1", "fd00::/8"]);
        for (url, allowed) in [
            ("http://10.1.2.3", true),
            ("http://10.2.2.3", false),
            ("http://127.0.0.1:1", true),
            ("http://127.0.0.2", false),
            ("http://[fd12::1]", true),
            ("http://[::ffff:10.1.0.1]", true),
        ] {
            assert_eq!(is_allowed(&open, url), allowed, "{url}");
        }
    }

    #[test]
    fn a_host_is_allowed_by_its_name_or_by_one_above_it() {
        let network = network(&["jenkins.local", "*.svc.cluster.local"]);
        let at = |host: &str| network.permit(host, [10, 0, 0, 1].into()).is_ok();
        for host in ["jenkins.local", "Jenkins.Local.", "a.b.svc.cluster.local"] {
            assert!(at(host), "{host}");
        }
        for host in ["xjenkins.local", "a.jenkins.local", "svc.cluster.local", "xsvc.cluster.local"]
        {
            assert!(!at(host), "{host}");
        }
        let reason = network.permit("other.local", [10, 0, 0, 1].into()).unwrap_err().to_string();
        assert!(reason.contains("other.local is at 10.0.0.1"), "{reason}");
        assert!(reason.contains("TOWPATH_AGENT_ALLOW"), "{reason}");
    }

    #[test]
    fn what_is_no_address_and_no_host_is_refused() {
        for entry in ["http://a.local", "10.0.0.0/99", "*", "a b", "*.", ""] {
            assert!(Network::parse(&[entry.to_owned()]).is_err(), "{entry:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_connected_to() {
        let client = |network: Network| {
            let builder = reqwest::Client::builder().no_proxy().dns_resolver(network);
            builder.build().unwrap()
        };
        let refused = client(network(&[])).get("http://localhost:9/").send().await.unwrap_err();
        assert!(refused.is_connect());
        let reason = forbidden_by(&refused).unwrap().to_string();
        assert!(reason.contains("localhost is at"), "{reason}");
        let tried = client(network(&["localhost"])).get("http://localhost:9/").send().await;
        assert_eq!(forbidden_by(&tried.unwrap_err()), None, "nobody listens there");
    }
}
