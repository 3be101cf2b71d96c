//! What a lowering has looked at, and whether a change touches it.
//!
//! A proxy's configuration is a function of what its lowering has read, so a change elsewhere in the mesh cannot alter it.
//! What was looked for and not found is an input too: it may come into being.

use std::collections::BTreeSet;
use std::sync::Arc;

use ferromesh_model::policy::PolicyTarget;

/// Kinds of things that a lowering looks at by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// A virtual node.
    VirtualNode,
    /// A virtual service, or a policy for it.
    VirtualService,
    /// A virtual router, one of its routes, or a policy for one of these.
    VirtualRouter,
    /// A virtual gateway or one of its gateway routes.
    VirtualGateway,
    /// A policy for what a virtual node sends or for what arrives at it.
    PoliciesOfNode,
    /// A policy for a virtual gateway or one of its gateway routes.
    PoliciesOfGateway,
    /// Who shows the certificate of an ARN.
    Showing,
    /// What there is to show or to trust for the ARN of a certificate.
    Certificate,
    /// What is known of a policy's rollbacks.
    Rollbacks,
}

const KINDS: usize = 9;

/// Names by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Names([BTreeSet<Box<str>>; KINDS]);

impl Names {
    fn note(&mut self, input: Input, name: &str) {
        let names = &mut self.0[input as usize];
        if !names.contains(name) {
            names.insert(name.into());
        }
    }
}

/// What one lowering has looked at. The mesh's own spec and the policies for all of it are looked at by every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    own: Names,
    /// What parts have looked at that other lowerings have, too.
    parts: Vec<Arc<Inputs>>,
}

impl Inputs {
    /// Notes that something was looked at, or looked for.
    pub fn note(&mut self, input: Input, name: &str) {
        self.own.note(input, name);
    }

    /// Notes what was looked at for a part.
    pub(super) fn include(&mut self, part: &Arc<Self>) {
        self.parts.push(Arc::clone(part));
    }

    /// Whether any of the changes is of something that was looked at.
    pub fn are_touched_by(&self, changes: &Changes) -> bool {
        changes.everything
            || self.own.0.iter().zip(&changes.names.0).any(|(read, changed)| {
                // Few things change at a time.
                changed.iter().any(|name| read.contains(name))
            })
            || self.parts.iter().any(|part| part.are_touched_by(changes))
    }
}

/// What differs between two states of a mesh.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    names: Names,
    everything: bool,
}

impl Changes {
    /// Notes that something has come, gone or changed.
    pub fn note(&mut self, input: Input, name: &str) {
        self.names.note(input, name);
    }

    /// Notes that something has changed that every lowering looks at.
    pub fn note_everything(&mut self) {
        self.everything = true;
    }

    /// Notes a policy that has come, gone or changed.
    pub fn note_policy(&mut self, target: &PolicyTarget) {
        match target {
            PolicyTarget::Mesh {} => self.note_everything(),
            PolicyTarget::VirtualNode(node) | PolicyTarget::VirtualNodeIngress(node) => {
                self.note(Input::PoliciesOfNode, node);
            }
            PolicyTarget::VirtualService(service) => self.note(Input::VirtualService, service),
            PolicyTarget::Route { router, .. } => self.note(Input::VirtualRouter, router),
            PolicyTarget::VirtualGateway(gateway) | PolicyTarget::GatewayRoute { gateway, .. } => {
                self.note(Input::PoliciesOfGateway, gateway);
            }
        }
    }

    /// Whether nothing has changed.
    pub fn are_none(&self) -> bool {
        !self.everything && self.names.0.iter().all(BTreeSet::is_empty)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_changes_of_what_was_read_touch() {
        let mut inputs = Inputs::default();
        inputs.note(Input::VirtualNode, "a");
        let touched = |note: &dyn Fn(&mut Changes)| {
            let mut changes = Changes::default();
            note(&mut changes);
            assert!(!changes.are_none());
            inputs.are_touched_by(&changes)
        };
        assert!(touched(&|changes| changes.note(Input::VirtualNode, "a")));
        assert!(!touched(&|changes| changes.note(Input::VirtualNode, "b")));
        assert!(!touched(&|changes| changes.note(Input::VirtualRouter, "a")));
        assert!(touched(&|changes| changes.note_policy(&PolicyTarget::Mesh {})));
        assert!(!inputs.are_touched_by(&Changes::default()));
    }
}
