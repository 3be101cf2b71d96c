//! What the proxies of a mesh have in common, so that it is lowered and emitted once and held once.

use std::cell::RefCell;

use ferromesh_emit::parts::{self, Parts, Piece};
use ferromesh_ir::{lower, lower::inputs::Changes, Proxy};
use ferromesh_xds::{Content, Reference};

/// What was made for some proxies of a mesh and may serve others.
#[derive(Default)]
pub(super) struct Common {
    pub lowering: lower::Memo,
    emission: RefCell<parts::Memo>,
}

impl Common {
    /// Forgets what changes touch, and what no proxy uses.
    pub fn forget(&self, changes: &Changes) {
        self.lowering.forget(changes);
        self.emission.borrow_mut().forget_unused();
    }

    /// Emits a proxy, as [`ferromesh_emit::proxy`] does, in pieces.
    pub fn emit(
        &self,
        proxy: &Proxy,
        modules: &ferromesh_emit::Modules,
        secrets: &ferromesh_emit::Secrets,
        options: &ferromesh_emit::Options,
    ) -> Parts {
        parts::parts(proxy, modules, secrets, options, &mut self.emission.borrow_mut())
    }

    /// How much was lowered and emitted since the beginning.
    #[cfg(test)]
    pub fn made(&self) -> (u64, u64) {
        (self.lowering.made(), self.emission.borrow().made())
    }
}

/// Emitted pieces as the xDS layer takes them.
pub(super) fn content(pieces: Vec<Piece>) -> Content {
    let pieces = pieces.into_iter().map(|piece| {
        let (bytes, digest) = piece.into_parts();
        ferromesh_xds::Piece::hashed(bytes, digest)
    });
    Content::of(pieces.collect())
}

/// References as the xDS layer takes them.
pub(super) fn references(links: Vec<parts::Link>) -> impl Iterator<Item = Reference> {
    let mut type_urls: Vec<std::sync::Arc<str>> = Vec::new();
    links.into_iter().map(move |link| {
        let known = type_urls.iter().find(|known| ***known == *link.type_url).cloned();
        let type_url = known.unwrap_or_else(|| {
            type_urls.push(link.type_url.into());
            link.type_url.into()
        });
        Reference::new(type_url, link.name, link.from)
    })
}
