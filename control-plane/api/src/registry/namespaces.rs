//! Namespaces: made, described, deleted.

use ferromesh_model::record::Tag;
use ferromesh_model::registry::{check, Namespace, NamespaceKind};
use ferromesh_store::{catalog, key, Change};

use super::{namespace, new_id, operations, put_place, read, tags, Refused, WhichNamespace, Why};
use crate::appmesh::Scene;
use crate::view::{self, View};

/// A namespace to make.
#[derive(Debug, Clone)]
pub(crate) struct NewNamespace {
    pub(crate) name: String,
    pub(crate) kind: NamespaceKind,
    pub(crate) description: Option<String>,
    pub(crate) soa_ttl: Option<i64>,
    pub(crate) creator_request_id: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

impl NewNamespace {
    fn check(&self) -> Result<(), Refused> {
        let name = check::namespace_name("Name", self.kind, &self.name);
        let text = self.description.iter();
        let text = text.filter_map(|text| check::description("Description", text));
        Refused::unless_none(name.into_iter().chain(text))?;
        tags::check(&self.tags)
    }

    /// Whether a call is the one that made this namespace, sent twice.
    fn made(&self, existing: &Namespace) -> bool {
        self.creator_request_id.is_some()
            && self.creator_request_id == existing.creator_request_id
            && (self.kind, &self.description, self.soa_ttl) == (existing.kind, &existing.description, existing.soa_ttl)
    }
}

/// Makes a namespace; gives back the one that the same call has made before.
pub(crate) fn create(scene: &Scene<'_>, new: &NewNamespace) -> Result<Namespace, Refused> {
    new.check()?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        if let Some(existing) = read::<Namespace>(view, &key::namespace(&new.name))? {
            if new.made(&existing) {
                return Ok((Vec::new(), existing));
            }
            let message = format!("namespace {:?} is present already", new.name);
            let refused = Refused::new(Why::NamespaceAlreadyExists, message).with("NamespaceId", &existing.id);
            let creator = existing.creator_request_id.unwrap_or_default();
            return Err(refused.with("CreatorRequestId", creator));
        }
        make(view, now, new)
    })
}

fn make(view: &View<'_>, now: f64, new: &NewNamespace) -> Result<(Vec<Change>, Namespace), Refused> {
    let id = new_id("ns");
    let (operation, mut changes) = operations::done(view, now, "CREATE_NAMESPACE", &[("NAMESPACE", &id)])?;
    let made = Namespace {
        name: new.name.clone(),
        id,
        kind: new.kind,
        description: new.description.clone(),
        soa_ttl: new.soa_ttl,
        created_at: now,
        creator_request_id: new.creator_request_id.clone(),
        operation: Some(operation),
        tags: tags::sorted(new.tags.clone()),
    };
    changes.push(catalog::put(key::namespace(&made.name), &made)?);
    changes.push(put_place(&made.id, &made.name, None)?);
    Ok((changes, made))
}

/// Makes a namespace or gives an existing one another description.
pub(crate) fn put(scene: &Scene<'_>, new: &NewNamespace) -> Result<Namespace, Refused> {
    new.check()?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let Some(mut existing) = read::<Namespace>(view, &key::namespace(&new.name))? else {
            return make(view, now, new);
        };
        if existing.kind != new.kind {
            let message = format!(
                "type: of namespace {:?} is {} and cannot become {}",
                new.name,
                existing.kind.as_str(),
                new.kind.as_str()
            );
            return Err(Refused::new(Why::NamespaceAlreadyExists, message));
        }
        if existing.description == new.description {
            return Ok((Vec::new(), existing));
        }
        existing.description.clone_from(&new.description);
        Ok((vec![catalog::put(key::namespace(&new.name), &existing)?], existing))
    })
}

/// Gives a namespace of this kind another description or time to live, as far as they are given; the operation's id.
pub(crate) fn update(
    scene: &Scene<'_>,
    which: WhichNamespace<'_>,
    kind: NamespaceKind,
    description: Option<&String>,
    soa_ttl: Option<i64>,
) -> Result<String, Refused> {
    let text = description.and_then(|text| check::description("Namespace.Description", text));
    Refused::unless_none(text)?;
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let mut changed = namespace(view, which)?;
        if changed.kind != kind {
            let message = format!(
                "Id: namespace {:?} is of type {}, this operation is for {}",
                changed.name,
                changed.kind.as_str(),
                kind.as_str()
            );
            return Err(Refused::invalid(message));
        }
        changed.description = description.cloned().or(changed.description);
        changed.soa_ttl = soa_ttl.or(changed.soa_ttl);
        let targets = [("NAMESPACE", changed.id.as_str())];
        let (operation, mut changes) = operations::done(view, now, "UPDATE_NAMESPACE", &targets)?;
        changes.push(catalog::put(key::namespace(&changed.name), &changed)?);
        Ok((changes, operation))
    })
}

/// Deletes a namespace without services; what it was, and the operation's id.
pub(crate) fn delete(scene: &Scene<'_>, which: WhichNamespace<'_>) -> Result<(Namespace, String), Refused> {
    let now = scene.clock.now();
    view::commit(scene.store, |view| {
        let gone = namespace(view, which)?;
        let services = view.keys(&key::services(&gone.name))?.len();
        if services > 0 {
            let message = format!("namespace {:?} has {services} services: delete them first", gone.name);
            return Err(Refused::new(Why::ResourceInUse, message));
        }
        let targets = [("NAMESPACE", gone.id.as_str())];
        let (operation, mut changes) = operations::done(view, now, "DELETE_NAMESPACE", &targets)?;
        changes.push(Change::delete(key::namespace(&gone.name)));
        changes.push(Change::delete(key::registry_id(&gone.id)));
        Ok((changes, (gone, operation)))
    })
}
