//! What `Ref` and `Fn::GetAtt` give.

use ferromesh_model::resource::{Key, Kind};
use serde_json::Value;

use super::{property, template::kind_of, template::Template};
use crate::{
    convert::{name_of, text_of},
    finding::Report,
};

impl Template<'_> {
    /// `Ref`: a parameter's value, a pseudo parameter, or an App Mesh resource's ARN.
    pub fn reference(&self, id: &str, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        if id == "AWS::NoValue" {
            return None;
        }
        if id.starts_with("AWS::") {
            return self.pseudo(id, path, subject, report);
        }
        if self
            .section("Parameters")
            .is_some_and(|parameters| parameters.contains_key(id))
        {
            return self.parameter(id, path, subject, report);
        }
        if let Some(given) = self.options.parameters.get(id) {
            return Some(Value::String(given.clone()));
        }
        match self.resource(id).map(type_of) {
            Some(type_name) if kind_of(type_name).is_some() => self.arn(id, path, subject, report),
            Some(type_name) => {
                let reason = format!(
                    "what AWS calls {id} ({type_name}) is not in the template: give it with --parameter {id}=…"
                );
                report.error(self.place(subject), path, reason);
                None
            }
            None => {
                report.error(
                    self.place(subject),
                    path,
                    format!("there is no parameter and no resource {id}"),
                );
                None
            }
        }
    }

    fn pseudo(&self, name: &str, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        if let Some(given) = self.options.parameters.get(name) {
            return Some(Value::String(given.clone()));
        }
        let value = match name {
            "AWS::Partition" => "aws",
            "AWS::URLSuffix" => "amazonaws.com",
            _ => {
                let reason = format!("{name} is not known here: give it with --parameter {name}=…");
                report.error(self.place(subject), path, reason);
                return None;
            }
        };
        Some(Value::String(value.to_owned()))
    }

    /// `Fn::GetAtt`.
    pub fn attribute(&self, id: &str, name: &str, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        if let Some(given) = self.options.parameters.get(&format!("{id}.{name}")) {
            return Some(Value::String(given.clone()));
        }
        let Some(resource) = self.resource(id) else {
            report.error(self.place(subject), path, format!("there is no resource {id}"));
            return None;
        };
        let type_name = type_of(resource);
        let named = Kind::ALL.into_iter().find(|kind| property(*kind) == name);
        match (kind_of(type_name), name) {
            (Some(_), "Arn" | "Id") => self.arn(id, path, subject, report),
            (Some(of), _)
                if named.is_some_and(|kind| kind == of || kind == Kind::Mesh || of.parent() == Some(kind)) =>
            {
                self.name(id, named.unwrap_or(of), path, subject, report)
                    .map(Value::String)
            }
            (Some(_), "ResourceOwner") => self.pseudo("AWS::AccountId", path, subject, report),
            (Some(_), "MeshOwner") => match resource.pointer("/Properties/MeshOwner") {
                Some(owner) => self.hop(path, subject, report, |template, report| {
                    template.resolve(owner, path, subject, report)
                }),
                None => self.pseudo("AWS::AccountId", path, subject, report),
            },
            (None, "Name") if type_name.starts_with("AWS::ServiceDiscovery::") => {
                let Some(value) = resource.pointer("/Properties/Name") else {
                    report.error(self.place(subject), path, format!("{id} has no Name"));
                    return None;
                };
                self.hop(path, subject, report, |template, report| {
                    template.resolve(value, path, subject, report)
                })
            }
            _ => {
                let reason = format!(
                    "{name} of {id} ({type_name}) is not in the template: give it with --parameter {id}.{name}=…"
                );
                report.error(self.place(subject), path, reason);
                None
            }
        }
    }

    /// The name of a resource, or of its mesh, router or gateway.
    fn name(&self, id: &str, of: Kind, path: &str, subject: &str, report: &mut Report) -> Option<String> {
        let resource = self.resource(id)?;
        let written = resource.pointer(&format!("/Properties/{}", property(of)));
        match written {
            Some(value) => {
                // What is wrong there is wrong there, not where it is referred to.
                let there = format!("Resources.{id}.Properties.{}", property(of));
                let value = self.hop(path, subject, report, |template, report| {
                    template.resolve(value, &there, subject, report)
                })?;
                Some(name_of(text_of(value)))
            }
            // The name that it gets here, see where resources are made.
            None if kind_of(type_of(resource)) == Some(of) => Some(id.to_owned()),
            None => {
                report.error(self.place(subject), path, format!("{id} has no {}", property(of)));
                None
            }
        }
    }

    /// The ARN. Account and region stay empty where they are not given: an ARN mostly stands where a name is meant.
    fn arn(&self, id: &str, path: &str, subject: &str, report: &mut Report) -> Option<Value> {
        let kind = kind_of(type_of(self.resource(id)?))?;
        let name = self.name(id, kind, path, subject, report)?;
        let key = match kind {
            Kind::Mesh => Key::mesh(name),
            _ => {
                let mesh = self.name(id, Kind::Mesh, path, subject, report)?;
                match kind.parent() {
                    Some(parent) => Key::in_parent(mesh, kind, self.name(id, parent, path, subject, report)?, name),
                    None => Key::in_mesh(mesh, kind, name),
                }
            }
        };
        let given = |name: &str| self.options.parameters.get(name).map_or("", String::as_str);
        Some(Value::String(key.arn(given("AWS::Region"), given("AWS::AccountId"))))
    }
}

fn type_of(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}
