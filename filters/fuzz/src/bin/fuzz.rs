//! The targets under libFuzzer: `$FERROMESH_FUZZ` names the target, the arguments are libFuzzer's own.

#![no_main]

use std::sync::OnceLock;

use ferromesh_fuzz::TARGETS;
use libfuzzer_sys::fuzz_target;

fn target() -> fn(&[u8]) {
    static TARGET: OnceLock<fn(&[u8])> = OnceLock::new();
    *TARGET.get_or_init(|| {
        let name = std::env::var("FERROMESH_FUZZ").unwrap_or_default();
        match TARGETS.iter().find(|(target, _)| *target == name) {
            Some((_, target)) => *target,
            None => {
                let names = TARGETS.map(|(name, _)| name).join(", ");
                eprintln!("FERROMESH_FUZZ={name:?} is not one of {names}");
                std::process::exit(2);
            }
        }
    })
}

fuzz_target!(|input: &[u8]| ferromesh_fuzz::run(target(), input));
