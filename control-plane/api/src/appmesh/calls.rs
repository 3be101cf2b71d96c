//! Which operation a method and path mean. The table comes from App Mesh's service model.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use ferromesh_model::resource::Kind;
use ferromesh_model::shapes::{operations, Operation};

/// First segment of every App Mesh path.
const ROOT: &str = "v20190125";

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Create,
    Describe,
    Update,
    Delete,
    List,
    Tag,
    Untag,
    ListTags,
}

impl Verb {
    /// Whether it changes something.
    pub(crate) fn is_change(self) -> bool {
        !matches!(self, Self::Describe | Self::List | Self::ListTags)
    }
}

/// An operation with what its name and path say.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static Operation,
    pub(crate) verb: Verb,
    /// Kind of the resources it is about; `None` for tags, which all kinds have.
    pub(crate) kind: Option<Kind>,
    segments: Vec<Segment>,
}

#[derive(Debug, PartialEq)]
enum Segment {
    Literal(&'static str),
    Label(&'static str),
}

/// The operation that a request means.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) call: &'static Call,
    /// Decoded labels of the path by their names.
    pub(crate) labels: BTreeMap<&'static str, String>,
}

/// Whether a path is one of App Mesh's.
pub(crate) fn is_app_mesh(segments: &[String]) -> bool {
    segments.first().is_some_and(|first| first == ROOT)
}

/// The operation with this method and path, or the methods that the path has.
pub(crate) fn find(method: &str, segments: &[String]) -> Result<Found, Vec<&'static str>> {
    let mut methods = Vec::new();
    for call in calls() {
        if let Some(labels) = labels(&call.segments, segments) {
            if call.operation.method == method {
                return Ok(Found { call, labels });
            }
            methods.push(call.operation.method);
        }
    }
    Err(methods)
}

fn calls() -> &'static [Call] {
    static CALLS: OnceLock<Vec<Call>> = OnceLock::new();
    CALLS.get_or_init(|| operations().iter().filter_map(call).collect())
}

/// An operation as a call; `None` for one whose name follows no known pattern, which a test holds that there is not.
fn call(operation: &'static Operation) -> Option<Call> {
    let (verb, kind) = match operation.name {
        "TagResource" => (Verb::Tag, None),
        "UntagResource" => (Verb::Untag, None),
        "ListTagsForResource" => (Verb::ListTags, None),
        name => {
            let (verb, of) = [
                ("Create", Verb::Create),
                ("Describe", Verb::Describe),
                ("Update", Verb::Update),
                ("Delete", Verb::Delete),
                ("List", Verb::List),
            ]
            .into_iter()
            .find_map(|(prefix, verb)| Some((verb, name.strip_prefix(prefix)?)))?;
            let is_named = |kind: &Kind| match verb {
                Verb::List => kind.list_member().eq_ignore_ascii_case(of),
                _ => kind.shape_name() == of,
            };
            (verb, Some(Kind::ALL.into_iter().find(is_named)?))
        }
    };
    let segments = operation.uri.trim_start_matches('/').split('/').map(segment).collect();
    Some(Call {
        operation,
        verb,
        kind,
        segments,
    })
}

fn segment(text: &'static str) -> Segment {
    match text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        Some(label) => Segment::Label(label),
        None => Segment::Literal(text),
    }
}

fn labels(pattern: &[Segment], segments: &[String]) -> Option<BTreeMap<&'static str, String>> {
    if pattern.len() != segments.len() {
        return None;
    }
    let mut labels = BTreeMap::new();
    for (pattern, segment) in pattern.iter().zip(segments) {
        match pattern {
            Segment::Literal(literal) if literal == segment => {}
            Segment::Label(label) if !segment.is_empty() => {
                labels.insert(*label, segment.clone());
            }
            _ => return None,
        }
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(method: &str, path: &str) -> Result<Found, Vec<&'static str>> {
        let segments: Vec<_> = path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        super::find(method, &segments)
    }

    #[test]
    fn has_a_call_for_every_operation_and_finds_it_by_its_own_path() {
        assert_eq!(calls().len(), operations().len());
        for operation in operations() {
            let path = operation.uri.replace(['{', '}'], "");
            let found = find(operation.method, &path).expect("its own path");
            assert_eq!(found.call.operation.name, operation.name);
        }
    }

    #[test]
    fn finds_routes_only_under_the_singular_of_their_parents() {
        let found = find("PUT", "/v20190125/meshes/m/virtualRouter/r/routes").expect("CreateRoute");
        assert_eq!(found.call.operation.name, "CreateRoute");
        assert_eq!(found.labels["virtualRouterName"], "r");
        assert_eq!(
            find("PUT", "/v20190125/meshes/m/virtualRouters/r/routes").err(),
            Some(vec![])
        );
        assert_eq!(
            find("PUT", "/v20190125/meshes/m/virtualGateways/g/gatewayRoutes").err(),
            Some(vec![])
        );
    }

    #[test]
    fn tells_the_methods_of_a_path_that_is_right() {
        let mut methods = find("POST", "/v20190125/meshes").expect_err("no such method");
        methods.sort_unstable();
        assert_eq!(methods, ["GET", "PUT"]);
        assert_eq!(find("GET", "/v20190125/meshes/").err(), Some(vec![]));
        assert_eq!(find("GET", "/v20190125").err(), Some(vec![]));
    }
}
