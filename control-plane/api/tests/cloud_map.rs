//! AWS Cloud Map's API, called in process: idempotency, errors, filters and pages, byte by byte on the wire.

mod harness;

use harness::Api;
use serde_json::{json, Value};

/// What the server said to one operation: status, error name, body.
async fn call(api: &Api, operation: &str, body: Value) -> (u16, String, Value) {
    let response = warp::test::request()
        .method("POST")
        .path("/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", format!("Route53AutoNaming_v20170314.{operation}"))
        .body(body.to_string())
        .reply(&api.routes)
        .await;
    assert_eq!(response.headers()["content-type"], "application/x-amz-json-1.1");
    let body: Value = serde_json::from_slice(response.body()).expect("JSON");
    let error = response.headers().get("x-amzn-errortype");
    let error = error.map_or("", |name| name.to_str().expect("text")).to_owned();
    if !error.is_empty() {
        assert_eq!(body["__type"], error, "{body}");
        assert!(body["Message"].is_string(), "{body}");
    }
    (response.status().as_u16(), error, body)
}

async fn ok(api: &Api, operation: &str, body: Value) -> Value {
    let (status, error, answer) = call(api, operation, body.clone()).await;
    assert_eq!((status, error.as_str()), (200, ""), "{operation} {body}: {answer}");
    answer
}

async fn refused(api: &Api, operation: &str, body: Value) -> (u16, String, String) {
    let (status, error, answer) = call(api, operation, body.clone()).await;
    assert_ne!(status, 200, "{operation} {body}: {answer}");
    (status, error, answer["Message"].as_str().unwrap_or_default().to_owned())
}

/// The id of a new HTTP namespace.
async fn namespace(api: &Api, name: &str) -> String {
    let made = ok(
        api,
        "CreateHttpNamespace",
        json!({"Name": name, "CreatorRequestId": name}),
    )
    .await;
    let operation = ok(api, "GetOperation", json!({"OperationId": made["OperationId"]})).await;
    assert_eq!(operation["Operation"]["Status"], "SUCCESS");
    operation["Operation"]["Targets"]["NAMESPACE"]
        .as_str()
        .expect("an id")
        .to_owned()
}

/// The id of a new service with a custom health check.
async fn service(api: &Api, namespace: &str, name: &str) -> String {
    let new = json!({"Name": name, "NamespaceId": namespace, "CreatorRequestId": name, "HealthCheckCustomConfig": {}});
    let made = ok(api, "CreateService", new).await;
    made["Service"]["Id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_call_that_is_sent_twice_happens_once() {
    let api = Api::new();
    let create = json!({"Name": "apps", "CreatorRequestId": "1", "Description": "d"});
    let first = ok(&api, "CreateHttpNamespace", create.clone()).await;
    assert_eq!(ok(&api, "CreateHttpNamespace", create).await, first);
    let other = json!({"Name": "apps", "CreatorRequestId": "2"});
    let (status, error, body) = call(&api, "CreateHttpNamespace", other).await;
    assert_eq!((status, error.as_str()), (400, "NamespaceAlreadyExists"));
    assert_eq!(body["CreatorRequestId"], "1");
    let id = body["NamespaceId"].as_str().expect("the id").to_owned();

    let create = json!({"Name": "colour", "NamespaceId": id, "CreatorRequestId": "1"});
    let first = ok(&api, "CreateService", create.clone()).await;
    assert_eq!(ok(&api, "CreateService", create.clone()).await, first);
    let mut other = create.clone();
    other["Description"] = json!("another");
    let (status, error, body) = call(&api, "CreateService", other).await;
    assert_eq!((status, error.as_str()), (400, "ServiceAlreadyExists"));
    assert_eq!(body["ServiceId"], first["Service"]["Id"]);

    let id = &first["Service"]["Id"];
    let register = json!({"ServiceId": id, "InstanceId": "i", "CreatorRequestId": "1",
        "Attributes": {"AWS_INSTANCE_IPV4": "10.0.0.1"}});
    let first = ok(&api, "RegisterInstance", register.clone()).await;
    let revision = json!({"NamespaceName": "apps", "ServiceName": "colour"});
    let before = ok(&api, "DiscoverInstancesRevision", revision.clone()).await;
    assert_eq!(ok(&api, "RegisterInstance", register.clone()).await, first);
    assert_eq!(ok(&api, "DiscoverInstancesRevision", revision.clone()).await, before);
    let mut again = register;
    again["CreatorRequestId"] = json!("2");
    assert_ne!(ok(&api, "RegisterInstance", again).await, first);
    assert_ne!(ok(&api, "DiscoverInstancesRevision", revision).await, before);
}

#[tokio::test]
async fn what_is_in_use_or_absent_is_refused_with_cloud_maps_errors() {
    let api = Api::new();
    let apps = namespace(&api, "apps").await;
    let colour = service(&api, &apps, "colour").await;
    let attributes = json!({"AWS_INSTANCE_IPV4": "10.0.0.1"});
    ok(
        &api,
        "RegisterInstance",
        json!({"ServiceId": colour, "InstanceId": "i", "Attributes": attributes}),
    )
    .await;

    let of = |(status, error, _): (u16, String, String)| (status, error);
    let expect = [
        ("DeleteNamespace", json!({"Id": apps}), 409, "ResourceInUse"),
        ("DeleteService", json!({"Id": colour}), 409, "ResourceInUse"),
        (
            "GetNamespace",
            json!({"Id": "ns-0000000000000000"}),
            404,
            "NamespaceNotFound",
        ),
        ("GetNamespace", json!({"Id": colour}), 404, "NamespaceNotFound"),
        (
            "GetService",
            json!({"Id": "srv-0000000000000000"}),
            404,
            "ServiceNotFound",
        ),
        ("GetService", json!({"Id": apps}), 404, "ServiceNotFound"),
        (
            "GetInstance",
            json!({"ServiceId": colour, "InstanceId": "x"}),
            404,
            "InstanceNotFound",
        ),
        (
            "DeregisterInstance",
            json!({"ServiceId": colour, "InstanceId": "x"}),
            404,
            "InstanceNotFound",
        ),
        ("GetOperation", json!({"OperationId": "x"}), 404, "OperationNotFound"),
        (
            "ListTagsForResource",
            json!({"ResourceARN": "arn:aws:x"}),
            404,
            "ResourceNotFoundException",
        ),
        (
            "DiscoverInstances",
            json!({"NamespaceName": "no", "ServiceName": "colour"}),
            404,
            "NamespaceNotFound",
        ),
        (
            "DiscoverInstances",
            json!({"NamespaceName": "apps", "ServiceName": "no"}),
            404,
            "ServiceNotFound",
        ),
        ("CreateHttpNamespace", json!({}), 400, "InvalidInput"),
        (
            "CreateHttpNamespace",
            json!({"Name": "n", "Colour": 1}),
            400,
            "InvalidInput",
        ),
        ("CreatePrivateDnsNamespace", json!({"Name": "n"}), 400, "InvalidInput"),
        (
            "ListInstances",
            json!({"ServiceId": colour, "MaxResults": 101}),
            400,
            "InvalidInput",
        ),
        (
            "ListInstances",
            json!({"ServiceId": colour, "NextToken": "zz"}),
            400,
            "InvalidInput",
        ),
        ("FlyToTheMoon", json!({}), 400, "UnknownOperationException"),
    ];
    for (operation, body, status, error) in expect {
        let said = of(refused(&api, operation, body.clone()).await);
        assert_eq!(said, (status, error.to_owned()), "{operation} {body}");
    }

    let plain = json!({"Name": "plain", "NamespaceId": apps});
    let plain = ok(&api, "CreateService", plain).await["Service"]["Id"].clone();
    ok(
        &api,
        "RegisterInstance",
        json!({"ServiceId": plain, "InstanceId": "i", "Attributes": {}}),
    )
    .await;
    let report = json!({"ServiceId": plain, "InstanceId": "i", "Status": "UNHEALTHY"});
    let said = of(refused(&api, "UpdateInstanceCustomHealthStatus", report).await);
    assert_eq!(said, (404, "CustomHealthNotFound".to_owned()));

    let needs_route53 = json!({"Name": "probed", "NamespaceId": apps, "HealthCheckConfig": {"Type": "HTTP"}});
    let (_, error, message) = refused(&api, "CreateService", needs_route53).await;
    assert_eq!(error, "InvalidInput");
    assert!(message.starts_with("HealthCheckConfig: needs Route 53"), "{message}");

    ok(
        &api,
        "DeregisterInstance",
        json!({"ServiceId": colour, "InstanceId": "i"}),
    )
    .await;
    ok(&api, "DeleteService", json!({"Id": colour})).await;
    ok(
        &api,
        "DeregisterInstance",
        json!({"ServiceId": plain, "InstanceId": "i"}),
    )
    .await;
    ok(&api, "DeleteService", json!({"Id": plain})).await;
    ok(&api, "DeleteNamespace", json!({"Id": apps})).await;
    assert_eq!(ok(&api, "ListNamespaces", json!({})).await, json!({"Namespaces": []}));
}

#[tokio::test]
async fn discovery_goes_by_attributes_and_by_health() {
    let api = Api::new();
    let apps = namespace(&api, "apps").await;
    let colour = service(&api, &apps, "colour").await;
    for (id, stage, health) in [
        ("a", "blue", "HEALTHY"),
        ("b", "blue", "UNHEALTHY"),
        ("c", "green", "HEALTHY"),
    ] {
        let attributes = json!({"AWS_INSTANCE_IPV4": "10.0.0.1", "stage": stage, "AWS_INIT_HEALTH_STATUS": health});
        ok(
            &api,
            "RegisterInstance",
            json!({"ServiceId": colour, "InstanceId": id, "Attributes": attributes}),
        )
        .await;
    }
    let found = async |more: Value| {
        let mut asked = json!({"NamespaceName": "apps", "ServiceName": "colour"});
        for (key, value) in more.as_object().expect("an object") {
            asked[key] = value.clone();
        }
        let answer = ok(&api, "DiscoverInstances", asked).await;
        let instances = answer["Instances"].as_array().expect("a list").clone();
        let ids: Vec<String> = instances
            .iter()
            .map(|instance| instance["InstanceId"].as_str().expect("an id").to_owned())
            .collect();
        ids.join("")
    };
    assert_eq!(found(json!({})).await, "abc");
    assert_eq!(found(json!({"HealthStatus": "HEALTHY"})).await, "ac");
    assert_eq!(found(json!({"HealthStatus": "UNHEALTHY"})).await, "b");
    let blue = json!({"stage": "blue"});
    assert_eq!(
        found(json!({"QueryParameters": blue, "HealthStatus": "HEALTHY"})).await,
        "a"
    );
    assert_eq!(found(json!({"QueryParameters": {"stage": "red"}})).await, "");
    assert_eq!(found(json!({"OptionalParameters": {"stage": "red"}})).await, "abc");
    assert_eq!(found(json!({"OptionalParameters": {"stage": "green"}})).await, "c");
    assert_eq!(found(json!({"MaxResults": 1})).await, "a");
    let report = json!({"ServiceId": colour, "InstanceId": "a", "Status": "UNHEALTHY"});
    ok(&api, "UpdateInstanceCustomHealthStatus", report).await;
    let or_else = json!({"QueryParameters": blue, "HealthStatus": "HEALTHY_OR_ELSE_ALL"});
    assert_eq!(found(or_else).await, "ab");
    let health = ok(&api, "GetInstancesHealthStatus", json!({"ServiceId": colour})).await;
    assert_eq!(
        health["Status"],
        json!({"a": "UNHEALTHY", "b": "UNHEALTHY", "c": "HEALTHY"})
    );
}

#[tokio::test]
async fn lists_come_in_pages_and_by_filters() {
    let api = Api::new();
    let mut ids = Vec::new();
    for name in ["apps", "apps.test", "other"] {
        ids.push(namespace(&api, name).await);
    }
    for name in ["a", "b", "c"] {
        service(&api, &ids[0], name).await;
    }
    service(&api, &ids[1], "d").await;
    let names = |answer: &Value, member: &str| -> Vec<String> {
        let list = answer[member].as_array().expect("a list");
        list.iter()
            .map(|one| one["Name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let begins = json!({"Filters": [{"Name": "NAME", "Values": ["apps"], "Condition": "BEGINS_WITH"}]});
    assert_eq!(
        names(&ok(&api, "ListNamespaces", begins).await, "Namespaces"),
        ["apps", "apps.test"]
    );
    let dns = json!({"Filters": [{"Name": "TYPE", "Values": ["DNS_PRIVATE"]}]});
    assert_eq!(
        names(&ok(&api, "ListNamespaces", dns).await, "Namespaces"),
        Vec::<String>::new()
    );
    let of_first = json!([{"Name": "NAMESPACE_ID", "Values": [ids[0]]}]);
    let first = ok(&api, "ListServices", json!({"Filters": of_first, "MaxResults": 2})).await;
    assert_eq!(names(&first, "Services"), ["a", "b"]);
    let rest = json!({"Filters": of_first, "MaxResults": 2, "NextToken": first["NextToken"]});
    let rest = ok(&api, "ListServices", rest).await;
    assert_eq!(
        (names(&rest, "Services"), &rest["NextToken"]),
        (vec!["c".to_owned()], &Value::Null)
    );
    let of_type = json!({"Filters": [{"Name": "TYPE", "Values": ["CREATE_NAMESPACE"], "Condition": "IN"}]});
    let operations = ok(&api, "ListOperations", of_type).await;
    assert_eq!(operations["Operations"].as_array().map(Vec::len), Some(3));
    let (_, error, message) = refused(
        &api,
        "ListServices",
        json!({"Filters": [{"Name": "COLOUR", "Values": ["x"]}]}),
    )
    .await;
    assert_eq!(error, "InvalidInput");
    assert!(
        message.starts_with("Filters[0].Name: must be one of NAMESPACE_ID"),
        "{message}"
    );
}

#[tokio::test]
async fn both_apis_reach_the_same_registry() {
    let api = Api::new();
    let path = "/v1/registry/namespaces/apps";
    let own = async |method: &str, path: &str, body: Value| {
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let response = api.raw(method, path, body).await;
        let answer: Value = serde_json::from_slice(response.body()).expect("JSON");
        (response.status().as_u16(), answer)
    };
    assert_eq!(own("PUT", path, json!({"description": "tasks"})).await.0, 200);
    assert_eq!(own("PUT", &format!("{path}/services/colour"), json!({})).await.0, 200);
    let instance = format!("{path}/services/colour/instances/task%2F1");
    let (status, made) = own(
        "PUT",
        &instance,
        json!({"attributes": {"AWS_INSTANCE_IPV4": "10.0.0.1"}}),
    )
    .await;
    assert_eq!(
        (status, &made["health"], &made["id"]),
        (200, &json!("HEALTHY"), &json!("task/1"))
    );

    let found = ok(
        &api,
        "DiscoverInstances",
        json!({"NamespaceName": "apps", "ServiceName": "colour"}),
    )
    .await;
    assert_eq!(found["Instances"][0]["InstanceId"], "task/1");
    let (status, _) = own("PUT", &format!("{instance}/health"), json!({"status": "UNHEALTHY"})).await;
    assert_eq!(status, 200);
    let healthy = json!({"NamespaceName": "apps", "ServiceName": "colour", "HealthStatus": "HEALTHY"});
    assert_eq!(ok(&api, "DiscoverInstances", healthy).await["Instances"], json!([]));

    // What exists is not made again, and what has children does not go.
    assert_eq!(own("PUT", path, json!({"type": "DNS_PRIVATE"})).await.0, 409);
    assert_eq!(own("DELETE", path, Value::Null).await.0, 409);
    let (status, wrong) = own("PUT", &instance, json!({"attributes": {"AWS_INSTANCE_IPV4": "ten"}})).await;
    assert_eq!(status, 400);
    assert_eq!(
        wrong["message"],
        "Attributes.AWS_INSTANCE_IPV4: must be an IPv4 address, is \"ten\""
    );
    assert_eq!(
        own("GET", &format!("{path}/services/no/instances"), Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(own("POST", path, Value::Null).await.0, 400);

    let (_, list) = own("GET", &format!("{path}/services/colour/instances"), Value::Null).await;
    assert_eq!(list["instances"].as_array().map(Vec::len), Some(1));
    for gone in [instance, format!("{path}/services/colour"), path.to_owned()] {
        assert_eq!(own("DELETE", &gone, Value::Null).await.0, 200, "{gone}");
    }
    assert_eq!(
        own("GET", "/v1/registry/namespaces", Value::Null).await.1,
        json!({"namespaces": []})
    );
}
