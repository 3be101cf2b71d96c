//! What names mean in a module.

use std::{cell::Cell, collections::BTreeMap, rc::Rc};

use hcl::{
    eval::{Context, Evaluate},
    Expression, Value,
};

use super::functions;

/// Most evaluations and instances of one module: blocks multiply.
const MAX_STEPS: usize = 1_000_000;
/// Largest value, in bytes and elements together: locals can double one another.
const MAX_SIZE: usize = 1_000_000;

/// The values of names: `var`, `local`, `each`, `aws_appmesh_mesh`, and whatever was given.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    // Shared: every instance of a block has a scope of its own, and most of it is the module's.
    roots: BTreeMap<String, Rc<Value>>,
    steps: Rc<Cell<usize>>,
}

impl Scope {
    /// Gives a dotted name a value: `data.aws_region.current.name`.
    pub fn set(&mut self, name: &str, value: Value) {
        let mut parts = name.split('.');
        let Some(root) = parts.next() else { return };
        let empty = || Value::Object(hcl::Map::new());
        let root = self.roots.entry(root.to_owned()).or_insert_with(|| Rc::new(empty()));
        let mut at = Rc::make_mut(root);
        for part in parts {
            if !matches!(at, Value::Object(_)) {
                *at = Value::Object(hcl::Map::new());
            }
            let Value::Object(members) = at else { return };
            at = members
                .entry(part.to_owned())
                .or_insert_with(|| Value::Object(hcl::Map::new()));
        }
        *at = value;
    }

    /// Whether both say the same.
    pub fn same(&self, other: &Self) -> bool {
        self.roots == other.roots
    }

    /// The same scope with one name more.
    pub fn with(&self, name: &str, value: Value) -> Self {
        self.steps.set(self.steps.get() + 1);
        let mut scope = self.clone();
        scope.set(name, value);
        scope
    }

    /// The value of an expression.
    ///
    /// # Errors
    /// What is not known, or does not fit.
    pub fn evaluate(&self, expression: &Expression) -> Result<Value, String> {
        self.steps.set(self.steps.get() + 1);
        if self.steps.get() > MAX_STEPS {
            return Err(format!("the module takes more than {MAX_STEPS} steps to evaluate"));
        }
        let mut context = Context::new();
        // The context owns its values: only those are copied that the expression can mean.
        let text = hcl::format::to_string(expression).unwrap_or_default();
        for (name, value) in self.roots.iter().filter(|(name, _)| text.contains(name.as_str())) {
            context.declare_var(hcl::Identifier::sanitized(name), value.as_ref().clone());
        }
        functions::declare(&mut context);
        let value = expression.evaluate(&context).map_err(|error| {
            let reason = error.to_string();
            // The expression is repeated over several lines.
            reason.split_whitespace().collect::<Vec<_>>().join(" ")
        })?;
        if size(&value) > MAX_SIZE {
            return Err(format!("the value is larger than {MAX_SIZE} bytes and elements"));
        }
        Ok(value)
    }
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(size).sum::<usize>() + items.len(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + 1 + size(value)).sum(),
        _ => 1,
    }
}

/// The value as JSON.
pub fn json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or(serde_json::Value::Null)
}
