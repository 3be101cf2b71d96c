//! Endpoints of one publication: what the registry says of each cluster is looked up and encoded once, however many proxies
//! have the cluster.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use ferromesh_ir::{cluster::Cluster, Lint};
use ferromesh_model::registry::Directory;
use ferromesh_xds::Content;

use super::{common::content, state::ServiceName};

/// The registry at one revision, and what it was asked.
pub(super) struct Endpoints<'s> {
    mesh: &'s str,
    directory: &'s Directory,
    known: RefCell<HashMap<usize, Known>>,
}

struct Known {
    /// Held, so that nothing else comes to be in its place.
    _cluster: Arc<Cluster>,
    endpoints: Option<Answer>,
}

/// What the registry says of a cluster.
#[derive(Clone)]
pub(super) struct Answer {
    /// Name of the resource.
    pub name: Arc<str>,
    pub content: Content,
    /// What keeps the cluster without tasks.
    pub lint: Option<Lint>,
}

impl<'s> Endpoints<'s> {
    /// Of the proxies of a mesh.
    pub fn new(mesh: &'s str, directory: &'s Directory) -> Self {
        Self {
            mesh,
            directory,
            known: RefCell::default(),
        }
    }

    /// What the registry says of each of some clusters, of those that look in it.
    pub fn of<'c>(&self, clusters: impl IntoIterator<Item = &'c Arc<Cluster>>) -> Vec<Answer> {
        self.told(clusters, Answer::clone)
    }

    /// What keeps clusters without tasks, each once.
    pub fn lints<'c>(&self, clusters: impl IntoIterator<Item = &'c Arc<Cluster>>) -> BTreeSet<Lint> {
        let lints = self.told(clusters, |answer| answer.lint.clone());
        lints.into_iter().flatten().collect()
    }

    fn told<'c, T>(&self, clusters: impl IntoIterator<Item = &'c Arc<Cluster>>, tell: impl Fn(&Answer) -> T) -> Vec<T> {
        let mut known = self.known.borrow_mut();
        let told = clusters.into_iter().filter_map(|cluster| {
            let known = known.entry(Arc::as_ptr(cluster) as usize).or_insert_with(|| Known {
                _cluster: Arc::clone(cluster),
                endpoints: self.ask(cluster),
            });
            known.endpoints.as_ref().map(&tell)
        });
        told.collect()
    }

    fn ask(&self, cluster: &Cluster) -> Option<Answer> {
        let (addresses, lint) = cluster.tasks(self.directory)?;
        let emitted = ferromesh_emit::endpoints_of(self.mesh, cluster, &addresses);
        Some(Answer {
            name: emitted.name,
            content: content(emitted.pieces),
            lint,
        })
    }
}

/// Whether a cluster asks for the tasks of one of some services.
pub(super) fn asks(cluster: &Cluster, services: &BTreeSet<ServiceName>) -> bool {
    let is_its = |query: &ferromesh_ir::registry::Query| {
        let mut services = services.iter();
        services.any(|(within, name)| (within, name) == (&query.namespace, &query.service))
    };
    cluster.query().is_some_and(is_its)
}
