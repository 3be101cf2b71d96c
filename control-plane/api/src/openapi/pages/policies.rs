//! `/v1/policies`.

use ferromesh_model::policy;
use serde_json::{json, Value};

use super::super::operation::Described;
use super::super::schema::{list, name, named, object, whole};
use crate::ErrorKind::{Conflict, NotFound};

const ITEM: &str = "/v1/policies/{mesh}/{policy}";

pub(super) fn operations() -> Vec<Described> {
    let ramp = |path, name, summary| {
        Described::new("POST", path, name, summary)
            .answers(named("Policy"))
            .errors(&[NotFound, Conflict])
    };
    vec![
        Described::new(
            "GET",
            "/v1/policies",
            "ListPolicies",
            "Lists all policies, or those of one mesh",
        )
        .query("mesh", false, &name())
        .answers(object([("policies", list(named("Policy")))], []))
        .errors(&[NotFound]),
        Described::new(
            "GET",
            ITEM,
            "GetPolicy",
            "Shows a policy, with the status of its rollbacks",
        )
        .answers(named("PolicyWithStatus"))
        .errors(&[NotFound]),
        Described::new("PUT", ITEM, "PutPolicy", "Makes or replaces a policy")
            .header("If-Match", &super::server::if_match())
            .body(named("PolicyInput"))
            .answers(named("Policy"))
            .errors(&[NotFound, Conflict]),
        Described::new("DELETE", ITEM, "DeletePolicy", "Deletes a policy")
            .header("If-Match", &super::server::if_match())
            .answers(named("Policy"))
            .errors(&[NotFound, Conflict]),
        ramp(
            "/v1/policies/{mesh}/{policy}/ramp/start",
            "StartRamp",
            "Starts a canary's ramp",
        ),
        ramp(
            "/v1/policies/{mesh}/{policy}/ramp/pause",
            "PauseRamp",
            "Holds a canary's ramp where it is",
        ),
        ramp(
            "/v1/policies/{mesh}/{policy}/ramp/resume",
            "ResumeRamp",
            "Lets a ramp go on that was paused",
        ),
    ]
}

pub(super) fn schemas() -> Vec<(&'static str, Value)> {
    let input = whole(policy::shape());
    let mut stored = input.clone();
    stored["required"] = json!(["name", "mesh", "target", "spec"]);
    let mut with_status = stored.clone();
    with_status["properties"]["status"] = named("Rollbacks");
    let mut input_with_status = input;
    // What was read can be written: a status is passed over.
    input_with_status["properties"]["status"] = json!({});
    vec![
        ("Policy", stored),
        ("PolicyWithStatus", with_status),
        ("PolicyInput", input_with_status),
    ]
}
