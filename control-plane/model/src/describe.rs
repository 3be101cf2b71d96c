//! What App Mesh adds to a spec when it gives it back.

use serde_json::{json, Value};

use crate::resource::Kind;

/// The stored spec as responses carry it.
///
/// Clients compare this with what they sent, so it is the spec itself but for the two members that App Mesh is known to
/// add: a health check's `port` becomes the listener's, and a virtual node has `backends`, if need be empty ones.
pub fn describe(kind: Kind, spec: &Value) -> Value {
    let mut spec = spec.clone();
    if matches!(kind, Kind::VirtualNode | Kind::VirtualGateway) {
        for listener in spec
            .get_mut("listeners")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            let port = listener.pointer("/portMapping/port").cloned();
            let check = listener.get_mut("healthCheck").and_then(Value::as_object_mut);
            if let (Some(port), Some(check)) = (port, check) {
                check.entry("port").or_insert(port);
            }
        }
    }
    if kind == Kind::VirtualNode {
        if let Some(spec) = spec.as_object_mut() {
            spec.entry("backends").or_insert_with(|| json!([]));
        }
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_in_the_port_of_health_checks_and_no_backends() {
        let spec = json!({"listeners": [
            {"portMapping": {"port": 80, "protocol": "http"}, "healthCheck": {"path": "/"}},
            {"portMapping": {"port": 81, "protocol": "http"}, "healthCheck": {"port": 9000}},
            {"portMapping": {"port": 82, "protocol": "http"}},
        ]});
        let described = describe(Kind::VirtualNode, &spec);
        assert_eq!(
            described["listeners"][0]["healthCheck"],
            json!({"path": "/", "port": 80})
        );
        assert_eq!(described["listeners"][1]["healthCheck"], json!({"port": 9000}));
        assert_eq!(described["listeners"][2], spec["listeners"][2]);
        assert_eq!(described["backends"], json!([]));
    }

    #[test]
    fn leaves_every_other_spec_as_it_is() {
        for kind in Kind::ALL {
            let spec = json!({"backends": [1], "listeners": [{"healthCheck": {}}], "other": null});
            assert_eq!(describe(kind, &spec), spec, "{kind}");
        }
        assert_eq!(describe(Kind::Mesh, &json!({})), json!({}));
        assert_eq!(
            describe(Kind::VirtualRouter, &json!({"listeners": []})),
            json!({"listeners": []})
        );
    }
}
