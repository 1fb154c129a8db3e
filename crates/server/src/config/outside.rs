//! Which targets of users' requests (webhooks, tools) may lie where only this server reaches them.

use ipnet::IpNet;
use std::net::IpAddr;
use url::Host;

/// None, unless the operator says otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrivateTargets {
    pub nets: Vec<IpNet>,
    /// In lower case, without a dot at the end. Whatever addresses such a name has.
    pub hosts: Vec<String>,
}

impl PrivateTargets {
    pub fn has_host(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.');
        self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// As it was given.
    pub fn listed(&self) -> String {
        let nets = self.nets.iter().map(|net| {
            let is_one = net.prefix_len() == net.max_prefix_len();
            if is_one { net.addr().to_string() } else { net.to_string() }
        });
        nets.chain(self.hosts.iter().cloned()).collect::<Vec<_>>().join(",")
    }
}

pub(super) fn private_targets(text: &str) -> Result<PrivateTargets, String> {
    let mut targets = PrivateTargets::default();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let net = item.parse::<IpNet>().map(|net| net.trunc()).or_else(|_| item.parse::<IpAddr>().map(IpNet::from));
        match (net, Host::parse(item)) {
            (Ok(net), _) => targets.nets.push(net),
            (Err(_), Ok(Host::Domain(host))) if !item.contains(['/', ':', '*']) => {
                targets.hosts.push(host.trim_end_matches('.').to_owned());
            }
            _ => return Err(format!("must be hosts, addresses or nets such as 10.0.0.0/8, separated by commas, has {item:?}")),
        }
    }
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_nets_are_told_apart() {
        let targets = private_targets("10.1.2.3/8, hooks.Internal.,127.0.0.1,fd00::/8").expect("valid");
        assert_eq!(targets.listed(), "10.0.0.0/8,127.0.0.1,fd00::/8,hooks.internal");
        assert!(targets.has_host("HOOKS.internal") && targets.has_host("hooks.internal.") && !targets.has_host("x.internal"));
        for bad in ["10.0.0.0/33", "a b", "http://x", "x:80", "*.internal", "x/8"] {
            assert!(private_targets(bad).is_err(), "{bad}");
        }
        assert_eq!(private_targets(""), Ok(PrivateTargets::default()));
    }
}
