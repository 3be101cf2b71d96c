//! Rules of names.

use crate::resource::Kind;
use crate::Violation;

/// Everything that is wrong with the name of a new resource; `path` is the member that carries it.
///
/// The service model only limits the length to 1 to 255 characters. Beyond that a name may hold no control characters,
/// and, except for virtual services, which are named like hosts, no blanks and no slashes: those could not be told from
/// the parts of an ARN. A mesh's name holds no `@` either, because `mesh@account` names the mesh of another account.
pub fn name(kind: Kind, path: &str, name: &str) -> Option<Violation> {
    let message = if name.is_empty() {
        "must have at least 1 characters, has 0".to_owned()
    } else if name.chars().count() > 255 {
        format!("must have at most 255 characters, has {}", name.chars().count())
    } else if name.starts_with("arn:") {
        format!("must be a name, is the ARN {name:?}")
    } else if name.chars().any(char::is_control) {
        format!("must have no control characters, is {name:?}")
    } else if kind != Kind::VirtualService && name.chars().any(|c| c == '/' || c.is_whitespace()) {
        format!("must have no '/' and no blanks, is {name:?}")
    } else if kind == Kind::Mesh && name.contains('@') {
        format!("must have no '@', is {name:?}")
    } else if name == "." || name == ".." {
        format!("must not be {name:?}, which paths cannot carry")
    } else {
        return None;
    };
    Some(Violation::new(path, message))
}
