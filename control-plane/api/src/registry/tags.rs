//! Tags of namespaces and services.

use ferromesh_model::record::Tag;
use ferromesh_model::registry::{check, Namespace, Service};
use ferromesh_model::Violation;
use ferromesh_store::{catalog, key};

use super::{place, read, Place, Refused, Why};
use crate::appmesh::Scene;
use crate::view::{self, View};

/// Limits of tags: 50 of a resource, keys 1 to 128 characters, values up to 256.
pub(super) fn check(tags: &[Tag]) -> Result<(), Refused> {
    if tags.len() > check::MOST_TAGS {
        let message = format!(
            "Tags: a resource can have at most {}, would have {}",
            check::MOST_TAGS,
            tags.len()
        );
        return Err(Refused::new(Why::TooManyTags, message));
    }
    let mut violations = Vec::new();
    for (index, tag) in tags.iter().enumerate() {
        let (key, value) = (tag.key.chars().count(), tag.value.chars().count());
        if !(1..=128).contains(&key) {
            let path = format!("Tags[{index}].Key");
            violations.push(Violation::new(
                path,
                format!("must have 1 to 128 characters, has {key}"),
            ));
        }
        if value > 256 {
            let path = format!("Tags[{index}].Value");
            violations.push(Violation::new(
                path,
                format!("must have at most 256 characters, has {value}"),
            ));
        }
    }
    Refused::unless_none(violations)
}

/// In the order of their keys; of two with one key the later.
pub(super) fn sorted(tags: Vec<Tag>) -> Vec<Tag> {
    let mut by_key: Vec<Tag> = Vec::with_capacity(tags.len());
    for tag in tags {
        match by_key.binary_search_by(|known| known.key.cmp(&tag.key)) {
            Ok(index) => by_key.splice(index..=index, [tag]).for_each(drop),
            Err(index) => by_key.insert(index, tag),
        }
    }
    by_key
}

enum Tagged {
    Namespace(Namespace),
    Service(Service),
}

impl Tagged {
    fn find(view: &View<'_>, arn: &str) -> Result<Self, Refused> {
        let found = match place(view, arn)?.filter(|_| arn.starts_with("arn:")) {
            Some(Place {
                namespace,
                service: None,
            }) => read(view, &key::namespace(&namespace))?.map(Self::Namespace),
            Some(Place {
                namespace,
                service: Some(service),
            }) => read(view, &key::service(&namespace, &service))?.map(Self::Service),
            None => None,
        };
        found.ok_or_else(|| {
            let message = format!("ResourceARN: no namespace or service has the ARN {arn:?}");
            Refused::new(Why::ResourceNotFound, message)
        })
    }

    fn tags(&mut self) -> &mut Vec<Tag> {
        match self {
            Self::Namespace(namespace) => &mut namespace.tags,
            Self::Service(service) => &mut service.tags,
        }
    }
}

/// A resource's tags.
pub(crate) fn list(scene: &Scene<'_>, arn: &str) -> Result<Vec<Tag>, Refused> {
    let mut tagged = Tagged::find(&View::new(scene.store), arn)?;
    Ok(std::mem::take(tagged.tags()))
}

/// Adds tags and removes those with these keys.
pub(crate) fn change(scene: &Scene<'_>, arn: &str, added: &[Tag], removed: &[String]) -> Result<(), Refused> {
    check(added)?;
    view::commit(scene.store, |view| {
        let mut tagged = Tagged::find(view, arn)?;
        let tags = tagged.tags();
        let before = tags.clone();
        tags.extend(added.iter().cloned());
        tags.retain(|tag| !removed.contains(&tag.key));
        *tags = sorted(std::mem::take(tags));
        check(tags)?;
        if *tags == before {
            return Ok((Vec::new(), ()));
        }
        let change = match &tagged {
            Tagged::Namespace(namespace) => catalog::put(key::namespace(&namespace.name), namespace)?,
            Tagged::Service(service) => catalog::put(key::service(&service.namespace, &service.name), service)?,
        };
        Ok((vec![change], ()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_tags_with_one_key_the_later_stays() {
        let tag = |key: &str, value: &str| Tag {
            key: key.into(),
            value: value.into(),
        };
        let tags = sorted(vec![tag("b", "1"), tag("a", "1"), tag("b", "2")]);
        assert_eq!(tags, [tag("a", "1"), tag("b", "2")]);
    }
}
