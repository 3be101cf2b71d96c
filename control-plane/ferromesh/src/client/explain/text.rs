//! An explanation for people: what happens first, then the way, then why everything else lost.

use serde_json::Value;

use crate::client::selection::text as member;

/// The explanation as lines. Control characters are shown as escapes, so that a name cannot write on the terminal.
pub fn text(explanation: &Value) -> String {
    let mut page = Page::default();
    let get = |name| member(explanation, name).unwrap_or_default();
    page.line(0, &format!("{}   from {}", get("request"), get("from")));
    page.line(0, &format!("=> {}", get("verdict")));
    if let Some(first) = explanation.get("first") {
        page.line(0, "");
        passage(&mut page, first);
    }
    for arrival in list(explanation, "arrivals") {
        page.line(0, "");
        let percent = arrival.get("percent").and_then(Value::as_f64).unwrap_or_default();
        page.line(0, &format!("then, {percent} % of the requests:"));
        if let Some(way) = arrival.get("passage") {
            passage(&mut page, way);
        }
    }
    let lints = list(explanation, "lints");
    if !lints.is_empty() {
        page.line(0, "");
        page.line(0, "LINTS of the proxies on the way");
        for lint in lints {
            page.line(1, lint.as_str().unwrap_or_default());
        }
    }
    page.0
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, depth: usize, text: &str) {
        let indent = "  ".repeat(depth);
        let visible: String = text
            .chars()
            .flat_map(|c| {
                let escaped: Vec<char> = if c.is_control() {
                    c.escape_debug().collect()
                } else {
                    vec![c]
                };
                escaped
            })
            .collect();
        self.0.push_str(format!("{indent}{visible}").trim_end());
        self.0.push('\n');
    }
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn passage(page: &mut Page, passage: &Value) {
    let listener = member(passage, "listener").unwrap_or("no listener");
    page.line(
        0,
        &format!("{} ({listener})", member(passage, "proxy").unwrap_or_default()),
    );
    for (title, name) in [("FILTER CHAINS", "chains"), ("HOSTS", "hosts"), ("ROUTES", "routes")] {
        candidates(page, title, list(passage, name));
    }
    if let Some(outcome) = passage.get("outcome") {
        self::outcome(page, outcome);
    }
}

/// What took the request is marked with `*`; behind `-` stands why the others did not.
fn candidates(page: &mut Page, title: &str, candidates: &[Value]) {
    if candidates.is_empty() {
        return;
    }
    page.line(1, title);
    for candidate in candidates {
        let chosen = candidate.get("chosen").and_then(Value::as_bool).unwrap_or_default();
        let mark = if chosen { "*" } else { " " };
        page.line(1, &format!("{mark} {}", member(candidate, "name").unwrap_or_default()));
        if chosen {
            continue;
        }
        let failed = list(candidate, "failed");
        if failed.is_empty() {
            page.line(3, "- another one comes first");
        }
        for failed in failed {
            let wanted = member(failed, "condition").unwrap_or_default();
            let found = match member(failed, "found") {
                Some(found) => format!("it is {found:?}"),
                None => "there is none".to_owned(),
            };
            page.line(3, &format!("- wants: {wanted}; {found}"));
        }
    }
}

fn outcome(page: &mut Page, outcome: &Value) {
    page.line(1, "OUTCOME");
    let because = member(outcome, "because").unwrap_or_default();
    match member(outcome, "type") {
        Some("respond") => {
            let status = outcome.get("status").and_then(Value::as_u64).unwrap_or_default();
            page.line(2, &format!("answered with {status}: {because}"));
        }
        Some("close") => page.line(2, because),
        _ => forwarding(page, outcome),
    }
}

fn forwarding(page: &mut Page, forwarding: &Value) {
    for share in list(forwarding, "targets") {
        let percent = share.get("percent").and_then(Value::as_f64).unwrap_or_default();
        page.line(2, &format!("{percent:>7} %  {}", target(share)));
    }
    if let Some(choice) = forwarding.get("choice") {
        let get = |name| member(choice, name).unwrap_or_default();
        let (by, because) = (get("by"), get("because"));
        let line = match member(choice, "target") {
            Some(target) => format!("goes to {target}, by {by}: {because}"),
            None => format!("not certain, by {by}: {because}"),
        };
        page.line(2, &line);
    }
    if let Some(mirror) = forwarding.get("mirror") {
        let percent = mirror.get("percent").and_then(Value::as_f64).unwrap_or_default();
        page.line(2, &format!("copies of {percent} % to {}", target(mirror)));
    }
    if let (Some(host), Some(path)) = (member(forwarding, "host"), member(forwarding, "path")) {
        page.line(2, &format!("as host {host}, path {path}"));
        let limit = forwarding.get("timeoutMillis").and_then(Value::as_u64);
        let limit = limit.map_or_else(|| "none".to_owned(), |millis| format!("{millis} ms"));
        page.line(
            2,
            &format!(
                "time limit {limit}, retries {}",
                member(forwarding, "retries").unwrap_or("none")
            ),
        );
    }
    if let Some(idle) = forwarding.get("idleTimeoutMillis").and_then(Value::as_u64) {
        page.line(2, &format!("idle limit {idle} ms"));
    }
    for guard in list(forwarding, "guards") {
        page.line(2, &format!("must pass {}", guard.as_str().unwrap_or_default()));
    }
    if let Some(policy) = forwarding.get("policy") {
        page.line(2, &format!("the filter decides: {policy}"));
    }
}

fn target(share: &Value) -> String {
    let encrypted = share.get("encrypted").and_then(Value::as_bool).unwrap_or_default();
    format!(
        "{}  ({}{}, cluster {})",
        member(share, "target").unwrap_or_default(),
        member(share, "discovery").unwrap_or_default(),
        if encrypted { ", TLS" } else { "" },
        member(share, "cluster").unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::text;

    #[test]
    fn the_winner_is_marked_and_every_loser_says_why() {
        let explanation = json!({
            "request": "GET http://a.local:8080/x",
            "from": "virtualNode/front",
            "verdict": "by route r, 100 % to virtualNode/blue, http 8080",
            "first": {
                "proxy": "virtualNode/front",
                "listener": "egress, port 15001",
                "chains": [],
                "hosts": [],
                "routes": [
                    {"name": "route q", "chosen": false, "failed": [{"condition": "path is \"/y\"", "found": "/x"}]},
                    {"name": "route r", "chosen": true},
                    {"name": "route s\u{1b}[31m", "chosen": false},
                ],
                "outcome": {"type": "respond", "status": 404, "because": "so"},
            },
            "arrivals": [],
            "lints": ["FM113 virtualRouter/r/route/t: it is left out"],
        });
        let expected = r#"GET http://a.local:8080/x   from virtualNode/front
=> by route r, 100 % to virtualNode/blue, http 8080

virtualNode/front (egress, port 15001)
  ROUTES
    route q
      - wants: path is "/y"; it is "/x"
  * route r
    route s\u{1b}[31m
      - another one comes first
  OUTCOME
    answered with 404: so

LINTS of the proxies on the way
  FM113 virtualRouter/r/route/t: it is left out
"#;
        assert_eq!(text(&explanation), expected);
    }

    #[test]
    fn who_is_chosen_stands_under_the_shares() {
        let said = |choice: serde_json::Value| {
            let share =
                json!({"target": "virtualNode/blue", "percent": 70.0, "discovery": "DNS blue:80", "cluster": "c"});
            let outcome = json!({"type": "forward", "targets": [share], "choice": choice});
            text(&json!({"first": {"proxy": "virtualNode/front", "outcome": outcome}}))
        };
        let certain = said(json!({"target": "virtualNode/blue", "by": "sticky", "because": "so"}));
        let lines =
            "         70 %  virtualNode/blue  (DNS blue:80, cluster c)\n    goes to virtualNode/blue, by sticky: so\n";
        assert!(certain.ends_with(lines), "{certain}");
        let drawn = said(json!({"by": "weight", "because": "drawn by weight: so"}));
        assert!(
            drawn.ends_with("    not certain, by weight: drawn by weight: so\n"),
            "{drawn}"
        );
    }
}
