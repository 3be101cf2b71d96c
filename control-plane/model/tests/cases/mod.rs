//! Values at and just beyond the limits of a shape, each inside an otherwise right value.

use ferromesh_model::shapes::{Member, Shape, Type};
use serde_json::{json, Map, Value};

/// A value, and the path of what is wrong with it, if anything is.
#[derive(Debug, Clone)]
pub struct Case {
    pub value: Value,
    pub broken: Option<String>,
}

impl Case {
    fn right(value: Value) -> Self {
        Self { value, broken: None }
    }

    fn wrong(value: Value) -> Self {
        Self {
            value,
            broken: Some(String::new()),
        }
    }

    /// The case one step further up, its value put into place by `wrap`.
    fn under(self, step: &str, wrap: impl FnOnce(Value) -> Value) -> Self {
        let broken = self.broken.map(|path| match path.as_str() {
            "" => step.to_owned(),
            path if path.starts_with('[') => format!("{step}{path}"),
            path => format!("{step}.{path}"),
        });
        Self {
            value: wrap(self.value),
            broken,
        }
    }
}

/// The smallest right value: only what is required, of unions the first member.
pub fn exemplar(shape: &Shape) -> Value {
    match &shape.ty {
        Type::Structure(members) => required(members).into(),
        Type::Union(members) => json!({ members[0].name: exemplar(members[0].shape) }),
        Type::List { member, min, .. } => vec![exemplar(member); *min].into(),
        Type::String { min, .. } => "a".repeat(*min).into(),
        Type::Enum(values) => values[0].into(),
        Type::Integer { min, .. } => (*min).into(),
        Type::Float { min, .. } => (*min).into(),
        Type::Boolean => true.into(),
        Type::Timestamp => 0.5.into(),
        Type::Any => Value::Null,
    }
}

fn required(members: &[Member]) -> Map<String, Value> {
    let members = members.iter().filter(|member| member.required);
    members
        .map(|member| (member.name.to_owned(), exemplar(member.shape)))
        .collect()
}

/// All cases of a shape.
pub fn cases(shape: &Shape) -> Vec<Case> {
    let mut cases = of_type(shape);
    let wrong_types = [
        json!(null),
        json!(false),
        json!("text"),
        json!([]),
        json!({}),
        json!(1.5),
    ];
    for value in wrong_types {
        let fits = match shape.ty {
            Type::Structure(_) | Type::Union(_) => value.is_object(),
            Type::List { .. } => value.is_array(),
            Type::String { .. } | Type::Enum(_) => value.is_string(),
            Type::Integer { .. } | Type::Float { .. } | Type::Timestamp => value.is_number(),
            Type::Boolean => value.is_boolean(),
            Type::Any => true,
        };
        if !fits {
            cases.push(Case::wrong(value));
        }
    }
    cases
}

fn of_type(shape: &Shape) -> Vec<Case> {
    match &shape.ty {
        Type::Structure(members) => structure(members),
        Type::Union(members) => union(members),
        Type::List { member, min, max } => list(member, *min, *max),
        Type::String { min, max, pattern } => {
            // Two bytes a character, where the pattern lets them be.
            let letter = if pattern.is_some() { "a" } else { "é" };
            let mut cases = vec![Case::right(letter.repeat(*min).into())];
            if *min > 0 {
                cases.push(Case::wrong(letter.repeat(*min - 1).into()));
            }
            if let (Some(max), None) = (max, pattern) {
                cases.push(Case::right(letter.repeat(*max).into()));
                cases.push(Case::wrong(letter.repeat(*max + 1).into()));
            }
            if pattern.is_some() {
                cases.push(Case::wrong("é".into()));
            }
            cases
        }
        Type::Enum(values) => {
            let mut cases: Vec<_> = values.iter().map(|value| Case::right((*value).into())).collect();
            cases.push(Case::wrong(values[0].to_lowercase().to_uppercase().into()));
            cases.retain(|case| case.broken.is_none() || !values.iter().any(|value| case.value == *value));
            cases.push(Case::wrong("".into()));
            cases
        }
        Type::Integer { min, max } => {
            let mut cases = vec![
                Case::right((*min).into()),
                Case::right((*max).into()),
                Case::wrong(0.5.into()),
            ];
            if let Some(below) = min.checked_sub(1) {
                cases.push(Case::wrong(below.into()));
            }
            cases.push(Case::wrong(max.checked_add(1).map_or(json!(u64::MAX), Value::from)));
            cases
        }
        Type::Any => vec![Case::right(Value::Null)],
        Type::Float { min, max } => vec![
            Case::right((*min).into()),
            Case::right((*max).into()),
            Case::wrong((*min - 0.1).into()),
            Case::wrong((*max + 0.1).into()),
        ],
        Type::Boolean => vec![Case::right(true.into()), Case::right(false.into())],
        Type::Timestamp => vec![Case::right(1.into())],
    }
}

fn structure(members: &[Member]) -> Vec<Case> {
    let base = required(members);
    let mut found = vec![Case::right(base.clone().into())];
    let mut unknown = base.clone();
    unknown.insert("unknownMember".to_owned(), json!({}));
    found.push(Case {
        value: unknown.into(),
        broken: Some("unknownMember".to_owned()),
    });
    for member in members {
        if member.required {
            let mut without = base.clone();
            without.remove(member.name);
            found.push(Case {
                value: without.into(),
                broken: Some(member.name.to_owned()),
            });
        }
        for case in cases(member.shape) {
            found.push(case.under(member.name, |value| {
                let mut with = base.clone();
                with.insert(member.name.to_owned(), value);
                with.into()
            }));
        }
    }
    found
}

fn union(members: &[Member]) -> Vec<Case> {
    let mut found = vec![Case::wrong(json!({}))];
    if let [first, second, ..] = members {
        let both = json!({ first.name: exemplar(first.shape), second.name: exemplar(second.shape) });
        found.push(Case::wrong(both));
    }
    for member in members {
        for case in cases(member.shape) {
            found.push(case.under(member.name, |value| json!({ member.name: value })));
        }
    }
    found
}

fn list(member: &Shape, min: usize, max: Option<usize>) -> Vec<Case> {
    let of = |count: usize| Value::from(vec![exemplar(member); count]);
    let mut found = vec![Case::right(of(min))];
    if min > 0 {
        found.push(Case::wrong(of(min - 1)));
    }
    if let Some(max) = max {
        found.push(Case::right(of(max)));
        found.push(Case::wrong(of(max + 1)));
    }
    let at = min.saturating_sub(1);
    for case in cases(member) {
        found.push(case.under(&format!("[{at}]"), |value| {
            let mut elements = vec![exemplar(member); at];
            elements.push(value);
            elements.into()
        }));
    }
    found
}
