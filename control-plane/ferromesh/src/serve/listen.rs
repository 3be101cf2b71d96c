//! Where the control plane listens, and which of these addresses speak TLS.

use std::str::FromStr;

use serde::Deserialize;

use crate::address::{Address, InvalidAddress};

/// An address to listen on, as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Listen {
    /// The address.
    pub address: Address,
    /// Whether it speaks TLS. Without `http://` or `https://` before it, an address does if other machines reach it.
    pub is_tls: bool,
}

impl FromStr for Listen {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(rest) = text.strip_prefix("https://") {
            return Ok(Self {
                address: rest.parse()?,
                is_tls: true,
            });
        }
        let address: Address = text.parse()?;
        let is_tls = !address.is_local() && !text.starts_with("http://");
        Ok(Self { address, is_tls })
    }
}

impl TryFrom<String> for Listen {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Listen {
    /// What is wrong with it, if anything is.
    pub(super) fn problem(&self) -> Option<String> {
        match (&self.address, self.is_tls) {
            (Address::Unix(_), true) => Some(format!("--listen {}: unix sockets speak no TLS", self.address)),
            (Address::Tcp(address), false) if !self.address.is_local() => Some(format!(
                "--listen http://{address}: other machines reach this address, so it must speak TLS: write {address} or \
                 https://{address}. Without TLS the control plane listens only on loopback addresses and unix sockets"
            )),
            _ => None,
        }
    }

    /// The form that clients use, with the port that the system chose.
    pub(super) fn url(&self, bound: &Address) -> String {
        match bound {
            Address::Tcp(address) if self.is_tls => format!("https://{address}"),
            _ => bound.url(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_machines_reach_speaks_tls() {
        for (text, is_tls) in [
            ("127.0.0.1:1", false),
            ("https://127.0.0.1:1", true),
            ("0.0.0.0:1", true),
            ("https://[::]:1", true),
            ("unix:///x", false),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.is_tls, listen.problem()), (is_tls, None), "{text}");
        }
        let plain: Listen = "http://10.0.0.1:1".parse().unwrap();
        assert!(plain.problem().unwrap().contains("TLS"));
        assert!("https://unix:///x".parse::<Listen>().unwrap().problem().is_some());
    }
}
