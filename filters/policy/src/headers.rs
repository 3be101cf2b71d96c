//! Header policy: what is set, added and removed on requests and responses, with a fixed set of variables.
//!
//! A value without variables is borrowed from the compiled policy; one with variables is rendered into a
//! buffer of the stream. A variable without a value is empty, and a value that comes out empty is not written.

mod config;
pub(crate) mod name;
mod template;

pub use config::{Config, Field, Operation};
pub use template::{Kept, Scope, VARIABLES};

use crate::{View, Violation, Write};
use template::Template;

/// A compiled header policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    request: Vec<Compiled>,
    response: Vec<Compiled>,
    /// Variables of the request that responses tell.
    kept: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq)]
struct Compiled {
    name: String,
    change: Change,
}

#[derive(Clone, Debug, PartialEq)]
enum Change {
    Set(Template),
    Add(Template),
    Remove,
}

/// Rendered values of one stream. Empty where a policy has no variables.
#[derive(Debug, Default, PartialEq)]
pub struct Rendered {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Rendered {
    fn value(&self, index: usize) -> Option<&[u8]> {
        let start = match index.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(start..*self.ends.get(index)?)
    }
}

impl Policy {
    /// Compiles.
    ///
    /// # Errors
    /// All mistakes: names that may not be written, unknown variables, values over their limit.
    pub fn compile(config: &Config) -> Result<Self, Vec<Violation>> {
        let mut found = Vec::new();
        let request = compile("request", &config.request, template::Phase::Request, &mut found);
        let response = compile("response", &config.response, template::Phase::Response, &mut found);
        if request.is_empty() && response.is_empty() && found.is_empty() {
            found.push(Violation::new(
                "",
                "a header policy needs a request or a response operation",
            ));
        }
        if found.is_empty() {
            let mut kept: Vec<usize> = response
                .iter()
                .filter_map(Compiled::template)
                .flat_map(Template::of_request)
                .collect();
            kept.sort_unstable();
            kept.dedup();
            Ok(Self {
                request,
                response,
                kept,
            })
        } else {
            Err(found)
        }
    }

    /// The operations on request headers.
    #[must_use]
    pub fn request(&self) -> Operations<'_> {
        Operations(&self.request)
    }

    /// What the response will tell of the request; `None`: nothing, which costs nothing.
    pub(crate) fn keep<V: View>(&self, view: &V) -> Option<Box<Rendered>> {
        if self.kept.is_empty() {
            return None;
        }
        let mut kept = Box::<Rendered>::default();
        for variable in &self.kept {
            template::render(
                *variable,
                template::Phase::Request,
                view,
                &Scope::default(),
                &mut kept.bytes,
            );
            kept.ends.push(kept.bytes.len());
        }
        Some(kept)
    }

    /// What was [kept](Self::keep), for the scope of the response.
    pub(crate) fn kept<'a>(&'a self, values: Option<&'a Rendered>) -> Kept<'a> {
        Kept {
            variables: &self.kept,
            values,
        }
    }

    /// Whether a response tells attempts, which must be read for it.
    pub(crate) fn tells_attempts(&self) -> bool {
        let mut templates = self.response.iter().filter_map(Compiled::template);
        templates.any(Template::tells_attempts)
    }

    /// The operations on response headers.
    #[must_use]
    pub fn response(&self) -> Operations<'_> {
        Operations(&self.response)
    }
}

fn compile(part: &str, operations: &[Operation], phase: template::Phase, found: &mut Vec<Violation>) -> Vec<Compiled> {
    if operations.len() > config::MAX_OPERATIONS {
        let message = format!("{} operations; at most {}", operations.len(), config::MAX_OPERATIONS);
        found.push(Violation::new(part, message));
        return Vec::new();
    }
    let mut compiled = Vec::with_capacity(operations.len());
    for (index, operation) in operations.iter().enumerate() {
        let (kind, name, value) = operation.parts();
        let path = format!("{part}[{index}].{kind}");
        let named = if value.is_some() {
            format!("{path}.name")
        } else {
            path.clone()
        };
        found.extend(name::check_written(&named, name));
        let change = match (operation, value.map(|value| Template::compile(value, phase))) {
            (_, Some(Err(message))) => {
                found.push(Violation::new(format!("{path}.value"), message));
                continue;
            }
            (Operation::Set(_), Some(Ok(template))) => Change::Set(template),
            (Operation::Add(_), Some(Ok(template))) => Change::Add(template),
            _ => Change::Remove,
        };
        compiled.push(Compiled {
            name: name.to_owned(),
            change,
        });
    }
    compiled
}

/// Operations in order, to be rendered and carried out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operations<'p>(&'p [Compiled]);

impl<'p> Operations<'p> {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// Renders the values that have variables, in the order of the operations.
    pub fn render<V: View>(self, view: &V, scope: &Scope<'_>, rendered: &mut Rendered) {
        rendered.bytes.clear();
        rendered.ends.clear();
        for template in self.0.iter().filter_map(Compiled::template) {
            if template.text().is_none() {
                template.render(view, scope, &mut rendered.bytes);
                rendered.ends.push(rendered.bytes.len());
            }
        }
    }

    /// The writes in order. `rendered` comes from [`render`](Self::render) of the same operations.
    pub fn for_each_write(self, rendered: &Rendered, mut write: impl FnMut(&'p str, Write<'_>)) {
        let mut start = 0;
        let mut ends = rendered.ends.iter();
        for operation in self.0 {
            let Some(template) = operation.template() else {
                write(&operation.name, Write::Remove);
                continue;
            };
            let value = match template.text() {
                Some(text) => text,
                None => {
                    let end = ends.next().copied().unwrap_or(start);
                    let value = rendered.bytes.get(start..end).unwrap_or_default();
                    start = end;
                    value
                }
            };
            match operation.change {
                Change::Set(_) if value.is_empty() => write(&operation.name, Write::Remove),
                Change::Set(_) => write(&operation.name, Write::Set(value)),
                Change::Add(_) if value.is_empty() => {}
                _ => write(&operation.name, Write::Add(value)),
            }
        }
    }
}

impl Compiled {
    fn template(&self) -> Option<&Template> {
        match &self.change {
            Change::Set(template) | Change::Add(template) => Some(template),
            Change::Remove => None,
        }
    }
}

#[cfg(test)]
mod tests;
