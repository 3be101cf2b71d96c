//! Answers to change sets as people read them.

use std::fmt::Write as _;
use std::io::IsTerminal;

use serde_json::Value;

/// Whether the output has colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    On,
    Off,
}

impl Colours {
    /// On a terminal, unless `NO_COLOR` is set (<https://no-color.org>).
    pub fn of_terminal() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !unwanted {
            Self::On
        } else {
            Self::Off
        }
    }

    fn paint(self, mark: char, text: &str) -> String {
        let code = match mark {
            '+' => 32,
            '-' => 31,
            _ => 33,
        };
        match self {
            Self::On => format!("\u{1b}[{code}m{mark} {text}\u{1b}[0m"),
            Self::Off => format!("{mark} {text}"),
        }
    }
}

/// What became of each change, one a line.
pub fn applied(answer: &Value) -> String {
    let mut text = String::new();
    for change in list(answer, "changes") {
        let action = member(change, "action");
        let version = change
            .get("version")
            .and_then(Value::as_u64)
            .filter(|_| action == "updated");
        let version = version.map_or_else(String::new, |version| format!(" to version {version}"));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {action}{version}", visible(&label(change)));
    }
    text
}

/// Findings that were not there before, one a line.
pub fn added(answer: &Value) -> Vec<String> {
    let findings = answer.get("findings").map(|findings| list(findings, "added"));
    findings.unwrap_or_default().iter().map(finding).collect()
}

/// One finding in a line: `warning: FM206 virtualRouter/r/route/t: … (docs/lints/FM206.md)`.
pub fn finding(finding: &Value) -> String {
    let text = format!(
        "{}: {} {}: {} (mend: {} See {})",
        member(finding, "severity"),
        member(finding, "code"),
        member(finding, "resource"),
        member(finding, "message"),
        member(finding, "mend"),
        member(finding, "page"),
    );
    visible(&text)
}

/// What a dry run found.
pub fn difference(answer: &Value, colours: Colours) -> String {
    let mut text = String::new();
    let mut counts = [
        ("to create", "created", 0),
        ("to update", "updated", 0),
        ("to delete", "deleted", 0),
        ("unchanged", "unchanged", 0),
    ];
    for change in list(answer, "changes") {
        let action = member(change, "action");
        for (_, word, count) in &mut counts {
            *count += usize::from(*word == action);
        }
        let mark = match action {
            "created" => '+',
            "deleted" => '-',
            "updated" => '~',
            _ => continue,
        };
        let _ = writeln!(text, "{}", colours.paint(mark, &visible(&label(change))));
        fields(&mut text, change, "    ", colours);
    }
    let proxies = list(answer, "proxies");
    if !proxies.is_empty() {
        text.push_str("\nEnvoy configuration:\n");
    }
    for proxy in proxies {
        let mark = match member(proxy, "state") {
            "new" => '+',
            "gone" => '-',
            _ => '~',
        };
        let _ = writeln!(text, "{}", colours.paint(mark, &visible(member(proxy, "id"))));
        for resource in list(proxy, "resources") {
            let mark = match member(resource, "change") {
                "added" => '+',
                "removed" => '-',
                _ => '~',
            };
            let name = visible(&format!("{} {}", member(resource, "type"), member(resource, "name")));
            let _ = writeln!(text, "    {}", colours.paint(mark, &name));
            fields(&mut text, resource, "        ", colours);
        }
    }
    let findings = answer.get("findings");
    let of = |side| findings.map_or(&[][..], |findings| list(findings, side));
    if !of("added").is_empty() || !of("removed").is_empty() {
        text.push_str("\nLints:\n");
    }
    for (mark, side) in [('+', "added"), ('-', "removed")] {
        for found in of(side) {
            let _ = writeln!(text, "{}", colours.paint(mark, &finding(found)));
        }
    }
    let counts: Vec<String> = counts
        .iter()
        .map(|(words, _, count)| format!("{count} {words}"))
        .collect();
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "{}; {} proxies change", counts.join(", "), proxies.len());
    text
}

/// The fields that differ, one a line.
fn fields(text: &mut String, of: &Value, indent: &str, colours: Colours) {
    for field in list(of, "diff") {
        let path = member(field, "path");
        let (mark, values) = match (field.get("before"), field.get("after")) {
            (Some(before), Some(after)) => ('~', format!("{before} → {after}")),
            (Some(before), None) => ('-', before.to_string()),
            (None, after) => ('+', after.map(Value::to_string).unwrap_or_default()),
        };
        let line = visible(&format!("{path}: {values}"));
        let _ = writeln!(text, "{indent}{}", colours.paint(mark, &line));
    }
}

/// Name in messages: `virtualRouter/r/route/t`, with the mesh where it is not the mesh itself.
fn label(change: &Value) -> String {
    let (kind, name) = (member(change, "kind"), member(change, "name"));
    let parent = change.get("parent").and_then(Value::as_str);
    match (kind, parent) {
        ("route", Some(parent)) => format!("virtualRouter/{parent}/route/{name}"),
        ("gatewayRoute", Some(parent)) => format!("virtualGateway/{parent}/gatewayRoute/{name}"),
        (kind, _) => format!("{kind}/{name}"),
    }
}

fn list<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value.get(member).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn member<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Names come from users: none of them writes on the terminal.
fn visible(text: &str) -> String {
    if text.chars().any(char::is_control) {
        text.escape_debug().to_string()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_difference_is_read_line_by_line() {
        let answer = json!({
            "changes": [
                {"kind": "route", "mesh": "m", "parent": "r", "name": "t", "action": "updated", "version": 2, "diff": [
                    {"path": "/spec/priority", "before": 1, "after": 2},
                ]},
                {"kind": "virtualNode", "mesh": "m", "name": "n", "action": "created", "diff": [{"path": "/spec", "after": {}}]},
                {"kind": "policy", "mesh": "m", "name": "p\u{1b}", "action": "deleted", "diff": []},
                {"kind": "mesh", "mesh": "m", "name": "m", "action": "unchanged", "diff": []},
            ],
            "proxies": [{"id": "mesh/m/virtualNode/n", "state": "changed", "resources": [
                {"type": "Cluster", "name": "c", "change": "removed"},
                {"type": "RouteConfiguration", "name": "e", "change": "changed", "diff": [
                    {"path": "/a/0", "before": 1},
                ]},
            ]}],
            "findings": {"added": [{
                "severity": "error", "code": "FM119", "resource": "virtualRouter/r/route/t", "message": "gone",
                "mend": "Mend it.", "page": "docs/lints/FM119.md",
            }], "removed": []},
        });
        let expected = "\
~ virtualRouter/r/route/t
    ~ /spec/priority: 1 → 2
+ virtualNode/n
    + /spec: {}
- policy/p\\u{1b}

Envoy configuration:
~ mesh/m/virtualNode/n
    - Cluster c
    ~ RouteConfiguration e
        - /a/0: 1

Lints:
+ error: FM119 virtualRouter/r/route/t: gone (mend: Mend it. See docs/lints/FM119.md)

1 to create, 1 to update, 1 to delete, 1 unchanged; 1 proxies change
";
        assert_eq!(difference(&answer, Colours::Off), expected);
        let coloured = difference(&answer, Colours::On);
        assert!(coloured.contains("\u{1b}[32m+ virtualNode/n\u{1b}[0m"), "{coloured}");
        let lines = "virtualRouter/r/route/t updated to version 2\nvirtualNode/n created\npolicy/p\\u{1b} deleted\nmesh/m unchanged\n";
        assert_eq!(applied(&answer), lines);
    }
}
