//! What requests have in common: the body's form, pages, filters, tags.

use bytes::Bytes;
use ferromesh_model::record::Tag as StoredTag;
use serde::de::DeserializeOwned;
use serde::Deserialize;

use crate::appmesh::read_token;
use crate::registry::Refused;

/// Most elements of a page, also what a page has when the client does not say.
const PAGE: usize = 100;

/// The body as what the operation takes. Members that it does not know are refused: what they ask for would not happen.
pub(super) fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refused> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| Refused::invalid(format!("body: {error}")))
}

/// Which part of a list is wanted.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Page {
    /// The page with this token and at most so many elements.
    pub(super) fn new(token: Option<&String>, most: Option<usize>) -> Result<Self, Refused> {
        Self::of_at_most(PAGE, token, most)
    }

    /// The same where a page may have another number of elements.
    pub(super) fn of_at_most(page: usize, token: Option<&String>, most: Option<usize>) -> Result<Self, Refused> {
        if let Some(most) = most.filter(|most| !(1..=page).contains(most)) {
            return Err(Refused::invalid(format!(
                "MaxResults: must be from 1 to {page}, is {most}"
            )));
        }
        Ok(Self {
            after: token.map(|token| read_token(token)).transpose()?,
            limit: most.unwrap_or(PAGE),
        })
    }
}

/// A tag as Cloud Map has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Tag {
    key: String,
    value: String,
}

/// Tags as the registry has them.
pub(super) fn tags(tags: Vec<Tag>) -> Vec<StoredTag> {
    let tags = tags.into_iter();
    tags.map(|Tag { key, value }| StoredTag { key, value }).collect()
}

/// What is asked of a list of namespaces, services or operations.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct List {
    pub(super) next_token: Option<String>,
    pub(super) max_results: Option<usize>,
    #[serde(default)]
    pub(super) filters: Vec<Filter>,
}

/// A condition on what is listed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
    #[serde(default)]
    condition: Condition,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Condition {
    #[default]
    Eq,
    In,
    Between,
    BeginsWith,
}

/// What a list can be filtered by: a name and whether its values are texts that can be compared in parts, or numbers.
pub(super) type Known = [(&'static str, Comparable)];

/// How the values of a filter are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparable {
    /// Equal or not.
    Whole,
    /// Also by what they begin with.
    Beginning,
    /// Seconds since 1970: between two.
    Time,
}

/// Refuses filters that the list does not know.
pub(super) fn check(filters: &[Filter], known: &Known) -> Result<(), Refused> {
    for (index, filter) in filters.iter().enumerate() {
        let path = format!("Filters[{index}]");
        let Some((_, how)) = known.iter().find(|(name, _)| *name == filter.name) else {
            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
            let message = format!("{path}.Name: must be one of {}, is {:?}", names.join(", "), filter.name);
            return Err(Refused::invalid(message));
        };
        let (fits, count) = match filter.condition {
            Condition::Eq => (*how != Comparable::Time, 1..=1),
            Condition::In => (*how != Comparable::Time, 1..=usize::MAX),
            Condition::BeginsWith => (*how == Comparable::Beginning, 1..=1),
            Condition::Between => (*how == Comparable::Time, 2..=2),
        };
        if !fits {
            let message = format!("{path}.Condition: does not go with {}", filter.name);
            return Err(Refused::invalid(message));
        }
        if !count.contains(&filter.values.len()) {
            let message = format!(
                "{path}.Values: the condition takes {} values, has {}",
                count.start(),
                filter.values.len()
            );
            return Err(Refused::invalid(message));
        }
        if let Some(wrong) = filter
            .values
            .iter()
            .find(|value| *how == Comparable::Time && value.parse::<f64>().is_err())
        {
            let message = format!("{path}.Values: must be seconds since 1970, is {wrong:?}");
            return Err(Refused::invalid(message));
        }
    }
    Ok(())
}

/// Whether something whose value for each filter is `of(name)` fits all of them.
pub(super) fn fits<'a>(filters: &[Filter], of: impl Fn(&str) -> Option<std::borrow::Cow<'a, str>>) -> bool {
    filters.iter().all(|filter| {
        let Some(has) = of(&filter.name) else { return false };
        match (filter.condition, filter.values.as_slice()) {
            (Condition::BeginsWith, [beginning]) => has.starts_with(beginning.as_str()),
            (Condition::Between, [from, to]) => {
                let number = |text: &str| text.parse::<f64>().unwrap_or(f64::NAN);
                (number(from)..=number(to)).contains(&number(&has))
            }
            (_, values) => values.iter().any(|value| *value == *has),
        }
    })
}
