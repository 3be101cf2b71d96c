//! Which of a candidate's proxies are shown to Envoy: as few as have all of its changes between them.

use std::collections::BTreeSet;

use ferromesh_xds::{Snapshot, Version};

use super::Part;
use crate::rollout::engine::is_tried;

/// Most runs for one candidate. Most candidates need one: what changes for many proxies is the same for all of them.
const MOST: usize = 8;

/// The proxies that are shown, the one with the most changes first.
pub fn of(parts: Vec<Part>) -> Vec<Part> {
    let mut left: Vec<(BTreeSet<Version>, Part)> = parts.into_iter().map(|part| (changed(&part), part)).collect();
    let mut chosen = Vec::new();
    while chosen.len() < MOST {
        let best = left.iter().enumerate().max_by_key(|(place, (versions, _))| {
            // Of equals the first one.
            (versions.len(), usize::MAX - place)
        });
        let Some((place, (versions, _))) = best else { break };
        // What only removes something is shown once too.
        if versions.is_empty() && !chosen.is_empty() {
            break;
        }
        let (covered, part) = left.swap_remove(place);
        chosen.push(part);
        for (versions, _) in &mut left {
            versions.retain(|version| !covered.contains(version));
        }
    }
    chosen
}

/// The resources that a proxy does not have as they are: a version is a hash of type, name and content.
fn changed(part: &Part) -> BTreeSet<Version> {
    let had = |type_url: &str, name: &str| {
        let accepted: &Snapshot = part.accepted.as_ref()?;
        Some(accepted.resources(type_url).get(name)?.version())
    };
    let tried = part.candidate.type_urls().filter(|type_url| is_tried(type_url));
    let resources = tried.flat_map(|type_url| {
        let resources = part.candidate.resources(type_url).iter();
        resources.filter(|resource| had(type_url, resource.name()) != Some(resource.version()))
    });
    resources.map(|resource| resource.version()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ferromesh_xds::type_url::{CLUSTER, ENDPOINT, LISTENER};

    use super::*;
    use crate::identity::Identity;

    fn snapshot(resources: &[(&'static str, &'static str, &'static str)]) -> Arc<Snapshot> {
        let resources = resources
            .iter()
            .map(|(type_url, name, value)| (*type_url, *name, (*value).into()));
        Arc::new(Snapshot::seal(resources, []).unwrap())
    }

    fn part(number: usize, before: &Arc<Snapshot>, after: &Arc<Snapshot>) -> Part {
        Part {
            key: Identity::parse(&format!("mesh/m/virtualNode/n{number}")).unwrap().key(),
            candidate: Arc::clone(after),
            accepted: Some(Arc::clone(before)),
        }
    }

    fn names(parts: Vec<Part>) -> Vec<String> {
        of(parts).into_iter().map(|part| part.key.name).collect()
    }

    #[test]
    fn what_is_the_same_for_all_is_shown_once_and_a_proxy_with_everything_goes_before() {
        let before = snapshot(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "1")]);
        let one = snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "1")]);
        let both = snapshot(&[(CLUSTER, "a", "2"), (CLUSTER, "b", "2")]);
        let parts = vec![
            part(0, &before, &one),
            part(1, &before, &both),
            part(2, &before, &one),
            part(3, &before, &both),
        ];
        assert_eq!(names(parts), ["n1"]);
    }

    #[test]
    fn what_is_different_is_shown_each_and_no_more_than_eight() {
        let before = snapshot(&[(LISTENER, "l", "1")]);
        let parts = (0..20).map(|number| {
            let value: &'static str = Box::leak(format!("v{number}").into_boxed_str());
            part(number, &before, &snapshot(&[(LISTENER, "l", value)]))
        });
        assert_eq!(names(parts.collect()).len(), MOST);
    }

    #[test]
    fn what_only_removes_something_is_shown_once_and_endpoints_are_no_change() {
        let before = snapshot(&[(CLUSTER, "a", "1"), (CLUSTER, "b", "1"), (ENDPOINT, "a", "1")]);
        let less = snapshot(&[(CLUSTER, "a", "1"), (ENDPOINT, "a", "2")]);
        let parts = vec![part(0, &before, &less), part(1, &before, &less)];
        assert_eq!(names(parts), ["n0"]);
        assert!(of(Vec::new()).is_empty());
    }
}
