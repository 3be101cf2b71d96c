//! What a module must keep to before it is built into a distribution or sent to a registry.

use crate::{surface, Inspection};

/// The biggest file that is taken for a module at all, in bytes. Ours stay under 300 KiB; modules of other SDKs
/// carry a runtime, but what is bigger than this takes Envoy more than ten seconds to compile.
pub const SIZE_LIMIT: usize = 8 << 20;

/// Limits for a module. An import that Envoy does not provide, and memory without a declared maximum, break
/// every set of rules.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// The biggest module, in bytes.
    pub size: usize,
    /// The highest maximum that its memory may declare, in bytes.
    pub memory: u64,
    /// What it must export.
    pub exports: &'static [&'static str],
}

impl Rules {
    /// For modules of anybody: what can be loaded by Envoy and cannot take all memory of the machine.
    pub const TRANSPORTABLE: Self = Self {
        size: SIZE_LIMIT,
        // Without memory64, a module cannot address more.
        memory: 4 << 30,
        exports: &[],
    };
}

impl Inspection {
    /// What is wrong with a module of `size` bytes, one text for each rule that it breaks.
    #[must_use]
    pub fn violations(&self, size: usize, rules: &Rules) -> Vec<String> {
        let mut found = Vec::new();
        if size > rules.size {
            found.push(format!("size is {size} bytes, at most {} are allowed", rules.size));
        }
        for import in &self.imports {
            if !surface::provides(&import.module, &import.name) {
                found.push(format!(
                    "import {}.{} is not provided by Envoy",
                    import.module, import.name
                ));
            }
        }
        match self.memory_maximum {
            None => found.push("memory declares no maximum".to_owned()),
            Some(bytes) if bytes > rules.memory => found.push(format!(
                "memory declares a maximum of {bytes} bytes, at most {} are allowed",
                rules.memory
            )),
            Some(_) => {}
        }
        for export in rules.exports {
            if !self.exports(export) {
                found.push(format!("export {export} is missing"));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Import;

    const RULES: Rules = Rules {
        size: 300 << 10,
        memory: 16 << 20,
        exports: &surface::REQUIRED_EXPORTS,
    };

    fn fine() -> Inspection {
        Inspection {
            imports: vec![Import {
                module: "env".to_owned(),
                name: "proxy_log".to_owned(),
            }],
            exports: surface::REQUIRED_EXPORTS
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            memory_initial: 1 << 20,
            memory_maximum: Some(RULES.memory),
            functions: Vec::new(),
        }
    }

    #[test]
    fn accepts_a_module_within_all_limits() {
        assert_eq!(fine().violations(RULES.size, &RULES), Vec::<String>::new());
    }

    #[test]
    fn names_every_rule_that_a_module_breaks() {
        let mut bad = fine();
        bad.imports.push(Import {
            module: "env".to_owned(),
            name: "system".to_owned(),
        });
        bad.exports.retain(|name| name != surface::ABI_EXPORT);
        bad.memory_maximum = None;
        assert_eq!(
            bad.violations(RULES.size + 1, &RULES),
            [
                "size is 307201 bytes, at most 307200 are allowed",
                "import env.system is not provided by Envoy",
                "memory declares no maximum",
                "export proxy_abi_version_0_2_1 is missing",
            ]
        );
    }

    #[test]
    fn bounds_the_declared_maximum() {
        let mut big = fine();
        big.memory_maximum = Some(RULES.memory + 1);
        assert_eq!(
            big.violations(1, &RULES),
            ["memory declares a maximum of 16777217 bytes, at most 16777216 are allowed"]
        );
        assert!(big.violations(1, &Rules::TRANSPORTABLE).is_empty());
    }
}
