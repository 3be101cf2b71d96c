//! The words for kinds of resources on the command line.

use std::{fmt, str::FromStr};

use ferromesh_model::resource::Kind;

/// What commands work on: App Mesh's kinds and our policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noun {
    /// A resource of App Mesh.
    Resource(Kind),
    /// A policy of ours.
    Policy,
}

/// All words: the full one, the plural, the short one.
const WORDS: [(Noun, &str, &str, &str); 8] = [
    (Noun::Resource(Kind::Mesh), "mesh", "meshes", "m"),
    (Noun::Resource(Kind::VirtualNode), "virtual-node", "virtual-nodes", "vn"),
    (
        Noun::Resource(Kind::VirtualService),
        "virtual-service",
        "virtual-services",
        "vs",
    ),
    (
        Noun::Resource(Kind::VirtualRouter),
        "virtual-router",
        "virtual-routers",
        "vr",
    ),
    (Noun::Resource(Kind::Route), "route", "routes", "r"),
    (
        Noun::Resource(Kind::VirtualGateway),
        "virtual-gateway",
        "virtual-gateways",
        "vg",
    ),
    (
        Noun::Resource(Kind::GatewayRoute),
        "gateway-route",
        "gateway-routes",
        "gr",
    ),
    (Noun::Policy, "policy", "policies", "p"),
];

impl Noun {
    /// The full word: `virtual-node`.
    pub fn word(self) -> &'static str {
        WORDS
            .iter()
            .find(|(noun, ..)| *noun == self)
            .map_or("resource", |(_, word, ..)| word)
    }

    /// What holds this kind inside the mesh, if anything does.
    pub fn parent(self) -> Option<Kind> {
        match self {
            Self::Resource(kind) => kind.parent(),
            Self::Policy => None,
        }
    }
}

impl FromStr for Noun {
    type Err = String;

    /// Also takes App Mesh's spelling: `virtualNode`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |word: &str| word.replace('-', "").to_ascii_lowercase();
        let asked = plain(text);
        WORDS
            .iter()
            .find(|(_, word, plural, short)| [word, plural, short].iter().any(|known| plain(known) == asked))
            .map(|(noun, ..)| *noun)
            .ok_or_else(|| {
                let known: Vec<String> = WORDS
                    .iter()
                    .map(|(_, word, _, short)| format!("{word} ({short})"))
                    .collect();
                format!("expected one of {}", known.join(", "))
            })
    }
}

impl fmt::Display for Noun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_understood() {
        let node = Noun::Resource(Kind::VirtualNode);
        for text in [
            "vn",
            "virtual-node",
            "virtual-nodes",
            "virtualNode",
            "VirtualNodes",
            "virtualnode",
        ] {
            assert_eq!(text.parse(), Ok(node), "{text}");
        }
        assert_eq!("policies".parse(), Ok(Noun::Policy));
        let error = "pod".parse::<Noun>().unwrap_err();
        assert!(error.contains("virtual-node (vn)"), "{error}");
        for (noun, word, ..) in WORDS {
            assert_eq!(noun.word(), word);
        }
    }
}
