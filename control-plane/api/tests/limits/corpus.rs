//! Specs that App Mesh takes, made from its shapes: small ones with one thing each, large ones with everything at once.
//!
//! Shapes do not say everything. What they leave out (which members exclude one another, which texts begin with a slash,
//! what must exist) stands here as a few tables, so that every spec of the corpus is one that must be taken.

use ferromesh_model::resource::Kind;
use ferromesh_model::shapes::{Member, Shape, Type};
use serde_json::{json, Map, Value};

/// Members of which a value has only one at a time, though its shape is no union; and whether it must have one.
pub fn exclusive(shape: &str) -> Option<(&'static [&'static str], bool)> {
    Some(match shape {
        "RouteSpec" => (&["grpcRoute", "http2Route", "httpRoute", "tcpRoute"], true),
        "GatewayRouteSpec" => (&["grpcRoute", "http2Route", "httpRoute"], true),
        "HttpPathMatch" => (&["exact", "regex"], true),
        "GatewayRouteHostnameMatch" => (&["exact", "suffix"], true),
        "HttpGatewayRoutePrefixRewrite" => (&["defaultPrefix", "value"], true),
        "HttpRouteMatch" | "HttpGatewayRouteMatch" => (&["path", "prefix"], false),
        "HttpGatewayRouteRewrite" => (&["path", "prefix"], false),
        _ => return None,
    })
}

/// Members that a value must have though its shape does not say so.
fn needed(shape: &str, member: &str) -> bool {
    matches!(
        (shape, member),
        ("GrpcGatewayRouteMatch", "serviceName")
            | ("GrpcGatewayRouteRewrite", "hostname")
            | ("HttpGatewayRoutePathRewrite", "exact")
            | ("HttpGatewayRouteRewrite", "hostname")
            | ("QueryParameterMatch", "exact")
            | ("GrpcRouteMatch", "serviceName")
    )
}

/// A text that is right for a member.
fn text(shape: &Shape, member: &str, of: &str) -> String {
    let text = match (of, member) {
        ("HttpPathMatch", "exact") | ("HttpGatewayRoutePathRewrite", "exact") => "/exact",
        ("HttpRouteMatch" | "HttpGatewayRouteMatch", "prefix") => "/prefix",
        ("HttpGatewayRoutePrefixRewrite", "value") => "/value/",
        ("HealthCheckPolicy" | "VirtualGatewayHealthCheckPolicy", "path") => "/ping",
        (_, "virtualNode" | "virtualNodeName") => "n",
        (_, "virtualRouterName") => "r",
        (_, "virtualServiceName") => "s",
        (_, "regex") => "a+b*",
        _ if shape.name == "HttpRetryPolicyEvent" => "gateway-error",
        _ if shape.name == "Arn" => "arn:aws:acm:us-east-1:123456789012:certificate/c",
        _ => "text",
    };
    text.to_owned()
}

fn number(min: i64, max: i64, member: &str) -> i64 {
    match member {
        // A range ends after it has begun.
        "start" => 1,
        "end" => 9,
        _ => min.max(0).saturating_add(1).min(max),
    }
}

/// The smallest right value of a shape, as a member of another.
fn small(shape: &Shape, member: &str, of: &str) -> Value {
    match &shape.ty {
        Type::Structure(members) => {
            let mut value = Map::new();
            for member in *members {
                if member.required || needed(shape.name, member.name) {
                    value.insert(member.name.to_owned(), small(member.shape, member.name, shape.name));
                }
            }
            if let Some((names, true)) = exclusive(shape.name) {
                let first = members.iter().find(|member| member.name == names[0]).expect("a member");
                value.insert(names[0].to_owned(), small(first.shape, first.name, shape.name));
            }
            value.into()
        }
        Type::Union(members) => json!({ members[0].name: small(members[0].shape, members[0].name, shape.name) }),
        Type::List {
            member: element, min, ..
        } => vec![small(element, member, of); *min].into(),
        Type::String { .. } => text(shape, member, of).into(),
        Type::Enum(values) => values[0].into(),
        Type::Integer { min, max } => number(*min, *max, member).into(),
        Type::Boolean => true.into(),
        Type::Float { min, .. } => (*min).into(),
        Type::Timestamp | Type::Any => 0.into(),
    }
}

/// Small values that together have every member and every choice below a shape.
pub fn sparse(shape: &Shape, member: &str, of: &str) -> Vec<Value> {
    let mut found = vec![small(shape, member, of)];
    match &shape.ty {
        Type::Structure(members) => {
            for member in *members {
                for value in sparse(member.shape, member.name, shape.name) {
                    let mut whole = found[0].clone();
                    set_alone(shape, &mut whole, member.name, value);
                    found.push(whole);
                }
            }
        }
        Type::Union(members) => {
            let each = |member: &Member| sparse(member.shape, member.name, shape.name);
            for member in *members {
                found.extend(each(member).into_iter().map(|value| json!({ member.name: value })));
            }
        }
        Type::List {
            member: element, max, ..
        } => {
            found.extend(sparse(element, member, of).into_iter().map(|value| json!([value])));
            if max.is_none_or(|max| max > 1) {
                found.push(vec![small(element, member, of); 2].into());
            }
        }
        Type::Enum(values) => found.extend(values.iter().skip(1).map(|value| json!(value))),
        Type::Boolean => found.push(false.into()),
        _ => {}
    }
    found
}

/// Sets a member, and takes those away that exclude it.
fn set_alone(shape: &Shape, whole: &mut Value, member: &str, value: Value) {
    let whole = whole.as_object_mut().expect("an object");
    if let Some((names, _)) = exclusive(shape.name).filter(|(names, _)| names.contains(&member)) {
        whole.retain(|name, _| !names.contains(&name.as_str()));
    }
    whole.insert(member.to_owned(), value);
}

/// Values with every member at once, as many as it takes to have every choice.
pub fn full(shape: &Shape, member: &str, of: &str) -> Vec<Value> {
    match &shape.ty {
        Type::Structure(members) => {
            let (choice, _) = exclusive(shape.name).unwrap_or((&[], false));
            let wrapped = |member: &Member| -> Vec<Value> {
                let values = full(member.shape, member.name, shape.name).into_iter();
                values.map(|value| json!({ member.name: value })).collect()
            };
            let mut slots: Vec<Vec<Value>> = Vec::new();
            let (chosen, always): (Vec<&Member>, Vec<&Member>) =
                members.iter().partition(|member| choice.contains(&member.name));
            slots.extend(always.into_iter().map(wrapped));
            if !chosen.is_empty() {
                slots.push(chosen.into_iter().flat_map(wrapped).collect());
            }
            let count = slots.iter().map(Vec::len).max().unwrap_or(1);
            let merge = |at: usize| {
                let mut whole = Map::new();
                for slot in &slots {
                    whole.extend(slot[at % slot.len()].as_object().cloned().unwrap_or_default());
                }
                Value::Object(whole)
            };
            (0..count).map(merge).collect()
        }
        Type::Union(members) => {
            let each = |member: &Member| {
                let values = full(member.shape, member.name, shape.name).into_iter();
                values.map(|value| json!({ member.name: value })).collect::<Vec<_>>()
            };
            members.iter().flat_map(each).collect()
        }
        Type::List {
            member: element, max, ..
        } => {
            let values = full(element, member, of);
            let size = max.unwrap_or(2).min(2);
            let list = |at: usize| {
                (0..size)
                    .map(|next| values[(at + next) % values.len()].clone())
                    .collect()
            };
            (0..values.len()).map(list).collect()
        }
        Type::Enum(values) => values.iter().map(|value| json!(value)).collect(),
        Type::Boolean => vec![true.into(), false.into()],
        _ => vec![small(shape, member, of)],
    }
}

/// Which of two ways to mend is taken, where there are two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    First,
    Second,
}

/// Makes a spec right where its parts do not fit each other: what belongs to a listener is of its protocol, ports and
/// backends differ, a prefix is rewritten only where one was matched.
pub fn mend(kind: Kind, way: Way, spec: &mut Value) {
    match kind {
        Kind::VirtualNode | Kind::VirtualRouter | Kind::VirtualGateway => listeners(spec),
        Kind::GatewayRoute => {
            for member in ["http2Route", "httpRoute"] {
                if let Some(route) = spec.get_mut(member) {
                    rewrite(way, route);
                }
            }
        }
        _ => {}
    }
    if kind == Kind::VirtualNode {
        let has_listeners = spec["listeners"].as_array().is_some_and(|list| !list.is_empty());
        if has_listeners && spec.get("serviceDiscovery").is_none() {
            spec["serviceDiscovery"] = json!({"dns": {"hostname": "h.local"}});
        }
        let backends = spec.get_mut("backends").and_then(Value::as_array_mut);
        for (at, backend) in backends.into_iter().flatten().enumerate().skip(1) {
            backend["virtualService"]["virtualServiceName"] = json!(format!("s{at}"));
        }
    }
}

fn listeners(spec: &mut Value) {
    let listeners = spec.get_mut("listeners").and_then(Value::as_array_mut);
    for (at, listener) in listeners.into_iter().flatten().enumerate() {
        if at > 0 {
            listener["portMapping"]["port"] = json!(2000 + at);
        }
        let pool = listener.get("connectionPool").and_then(first_member);
        let timeout = listener.get("timeout").and_then(first_member);
        let Some(protocol) = pool.or(timeout) else { continue };
        if let Some(of) = listener.get("timeout").and_then(first_member) {
            let mut timeout = listener["timeout"][&of].clone();
            if protocol == "tcp" {
                timeout.as_object_mut().expect("an object").remove("perRequest");
            }
            listener["timeout"] = json!({ &protocol: timeout });
        }
        listener["portMapping"]["protocol"] = json!(protocol);
    }
}

fn first_member(value: &Value) -> Option<String> {
    value.as_object()?.keys().next().cloned()
}

fn rewrite(way: Way, route: &mut Value) {
    let rewrites_prefix = route.pointer("/action/rewrite/prefix").is_some();
    if !rewrites_prefix || route.pointer("/match/path").is_none() {
        return;
    }
    if way == Way::First {
        let wanted = route["match"].as_object_mut().expect("an object");
        wanted.remove("path");
        wanted.insert("prefix".to_owned(), json!("/prefix"));
    } else {
        let rewrite = route["action"]["rewrite"].as_object_mut().expect("an object");
        rewrite.remove("prefix");
        rewrite.insert("path".to_owned(), json!({"exact": "/exact"}));
    }
}
