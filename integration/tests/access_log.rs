//! What a module decided in Envoy's own access log: true for each request, and one line of JSON whatever clients send.

use std::{collections::BTreeMap, path::Path};

use ferromesh_integration::{
    bed::{Bed, Setup},
    client::Client,
    rig::{eventually, PATIENCE},
    upstream::{Faults, Upstream},
};
use serde_json::{json, Value};

const FILE_LOG: &str = "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog";

async fn bed(colours: &[Upstream; 2], log: &Path) -> Bed {
    let policy = json!({
        "labels": {"virtualService": "color.local", "route": "main \"quoted\"\\"},
        "targets": ["blue", "green"],
        "canary": {"weights": [50, 50], "sticky": {"header": "x-user"}, "override": {"header": "x-canary"}},
        "rateLimit": {"limits": [{
            "name": "burst", "requests": 1, "windowSeconds": 3600, "key": {"header": "x-few"}, "missingKey": "allow",
        }]},
        "retry": {"maxRetries": 2, "native": false, "retryOn": ["5xx"]},
        "observability": {"accessLog": true, "metrics": true, "attempts": true},
    });
    let line = json!({
        "id": "%REQ(X-ID)%", "status": "%RESPONSE_CODE%", "cluster": "%UPSTREAM_CLUSTER%", "agent": "%REQ(USER-AGENT)%",
        "ferromesh": "%FILTER_STATE(wasm.ferromesh:PLAIN)%",
    });
    let [blue, green] = colours;
    let access_log = json!([{"name": "file", "typed_config": {
        "@type": FILE_LOG, "path": log.display().to_string(), "log_format": {"json_format": line},
    }}]);
    Setup::with_policy("mesh", &policy)
        .expect("a built module")
        .target(blue, 50)
        .target(green, 50)
        .manager("access_log", access_log)
        .start()
        .await
        .expect("Envoy")
}

/// The log's lines by the id of their requests, once there are so many.
async fn lines(log: &Path, count: usize) -> BTreeMap<String, Value> {
    let text = eventually("the access log is written", PATIENCE, async || {
        let text = std::fs::read_to_string(log).ok()?;
        (text.lines().count() >= count).then_some(text)
    })
    .await
    .expect("lines");
    let parse = |line: &str| -> (String, Value) {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        (line["id"].as_str().expect("an id").to_owned(), line)
    };
    text.lines().map(parse).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_line_tells_route_target_reason_attempts_and_limits() {
    let colours = [
        Upstream::start("blue").await.expect("blue"),
        Upstream::start("green").await.expect("green"),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("access.log");
    let bed = bed(&colours, &log).await;
    let mut client = Client::of(bed.address()).expect("a client");
    let mut sent = BTreeMap::new();
    for number in 0..200 {
        let id = format!("r{number}");
        let user = format!("u{number}");
        let (by, header) = match number % 4 {
            0 => ("weight", ("x-none", "1")),
            1 => ("sticky", ("x-user", user.as_str())),
            2 => ("override", ("x-canary", "green")),
            _ => ("limited", ("x-few", "one")),
        };
        let agent = "\"},\n{\"id\":\"forged\"".replace('\n', "\t");
        let answer = client
            .get("/", &[("x-id", &id), header, ("user-agent", &agent)])
            .await
            .expect("an answer");
        let colour = answer.header("x-colour").map(str::to_owned);
        assert_eq!(answer.status, if colour.is_some() { 200 } else { 429 });
        sent.insert(id, (by, colour));
    }
    // One whose first attempts fail.
    colours[0].inject(Faults {
        first: 2,
        ..Faults::default()
    });
    let answer = client
        .get("/", &[("x-id", "retried"), ("x-canary", "blue")])
        .await
        .expect("an answer");
    assert_eq!(answer.status, 200);
    let lines = lines(&log, 201).await;
    assert_eq!(lines.len(), 201, "a client wrote a line");
    let told = |line: &Value| -> Value {
        let text = line["ferromesh"]
            .as_str()
            .unwrap_or_else(|| panic!("nothing is told: {line}"));
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    };
    for (id, (by, colour)) in &sent {
        let line = &lines[id];
        let told = told(line);
        assert_eq!(told["route"], "main \"quoted\"\\", "{line}");
        if let Some(colour) = colour {
            assert_eq!(told["target"], colour.as_str(), "{line}");
            assert_eq!(told["attempts"], 1, "{line}");
            // Of those with a key that is limited, the first is drawn.
            assert_eq!(told["by"], if *by == "limited" { "weight" } else { *by }, "{line}");
        } else {
            assert_eq!((*by, &told["limited"]), ("limited", &json!(true)), "{line}");
            assert_eq!(told.get("target"), None, "{line}");
        }
    }
    let limited = sent.values().filter(|(_, colour)| colour.is_none()).count();
    assert_eq!(limited, 49, "of 50 with the key, one is admitted");
    assert_eq!(told(&lines["retried"])["attempts"], 3);
    bed.assert_no_trap().await.expect("no trap");
}
