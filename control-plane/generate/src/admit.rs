//! Which creations the API takes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use ferromesh_model::mesh::Mesh;
use ferromesh_model::policy::{self, Policy};
use ferromesh_model::record::{Metadata, Record};
use ferromesh_model::resource::{Key, Kind};
use ferromesh_model::validate::{self, Lookup, Refusal};
use serde_json::{json, Value};

use crate::{Creation, World};

/// In whose name resources are created.
const ACCOUNT: &str = "123456789012";

/// What has become of a world's creations.
#[derive(Debug)]
pub struct Admitted {
    /// The mesh of those that were taken.
    pub mesh: Mesh,
    /// Those that were refused, in the order of creation.
    pub refused: Vec<Refused>,
}

/// A creation that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its place among the creations.
    pub index: usize,
    /// Why.
    pub reason: String,
}

impl World {
    /// Puts every creation through the API's rules, in their order.
    ///
    /// # Panics
    /// What was taken cannot be assembled to a mesh: then the rules have a hole.
    pub fn admit(&self) -> Admitted {
        let mut state = State::default();
        let mut refused = Vec::new();
        let mut policies = Vec::new();
        for (index, creation) in self.creations.iter().enumerate() {
            let judged = match creation {
                Creation::Resource { key, spec } => state.resource(key, spec, index),
                Creation::Policy { name, target, spec } => {
                    let value = json!({"name": name, "mesh": self.name, "target": target, "spec": spec});
                    state.policy(&value).map(|policy| policies.push(policy))
                }
            };
            if let Err(reason) = judged {
                refused.push(Refused { index, reason });
            }
        }
        let own = Key::mesh(self.name.clone());
        let fallback = record(&own, &json!({}), 0);
        let mesh = Mesh::assemble(
            state.records.get(&own).unwrap_or(&fallback),
            state.records.values(),
            policies,
        )
        .unwrap_or_else(|violations| panic!("what was taken cannot be assembled: {violations:?}"));
        Admitted { mesh, refused }
    }
}

#[derive(Default)]
struct State {
    records: BTreeMap<Key, Record>,
}

impl State {
    fn resource(&mut self, key: &Key, spec: &Value, index: usize) -> Result<(), String> {
        if let Some(violation) = validate::name(key.kind, "name", &key.name) {
            return Err(violation.to_string());
        }
        let violations = validate::spec(key.kind, spec);
        if !violations.is_empty() {
            return Err(format!("{violations:?}"));
        }
        match validate::put(self, ACCOUNT, key, spec) {
            Ok(()) => {
                self.records.insert(key.clone(), record(key, spec, index));
                Ok(())
            }
            Err(Refusal::Rejected(rejection)) => Err(rejection.to_string()),
            Err(Refusal::Failed(never)) => match never {},
        }
    }

    fn policy(&self, value: &Value) -> Result<Policy, String> {
        let violations = policy::check(value);
        if !violations.is_empty() {
            return Err(format!("{violations:?}"));
        }
        let policy: Policy = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        match policy.check_among(self, ACCOUNT) {
            Ok(()) => Ok(policy),
            Err(Refusal::Rejected(rejection)) => Err(rejection.to_string()),
            Err(Refusal::Failed(never)) => match never {},
        }
    }
}

impl Lookup for State {
    type Error = Infallible;

    fn record(&self, key: &Key) -> Result<Option<Record>, Infallible> {
        Ok(self.records.get(key).cloned())
    }

    fn records(&self, kind: Kind, mesh: &str, parent: Option<&str>) -> Result<Vec<Record>, Infallible> {
        let is_meant = |key: &Key| {
            key.kind == kind && key.mesh == mesh && parent.is_none_or(|parent| key.parent.as_deref() == Some(parent))
        };
        let records = self.records.iter().filter(|(key, _)| is_meant(key));
        Ok(records.map(|(_, record)| record.clone()).collect())
    }
}

fn record(key: &Key, spec: &Value, index: usize) -> Record {
    let at = index as f64;
    Record {
        key: key.clone(),
        spec: spec.clone(),
        metadata: Metadata {
            arn: key.arn("us-east-1", ACCOUNT),
            created_at: at,
            last_updated_at: at,
            mesh_owner: ACCOUNT.into(),
            resource_owner: ACCOUNT.into(),
            uid: format!("uid-{index}"),
            version: 1,
        },
        tags: Vec::new(),
    }
}
