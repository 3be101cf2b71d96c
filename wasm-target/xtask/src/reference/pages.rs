//! The pages, as text: `name.md` for each filter, `plugin.md`, `README.md` and `schema.json`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{ensure, Context, Result};
use ferromesh_policy::mesh::PluginConfig;
use ferromesh_policy::{headers, schema};
use serde_json::{Map, Value};

use crate::fields::{number, Default, Field, Schema};
use crate::subject::{Subject, SUBJECTS};

/// Where the pages are, in the repository.
pub const FOLDER: &str = "docs/filters";
const MADE: &str = "<!-- Made by `cargo xtask reference` from the configuration types; edit those. -->\n\n";
/// Where a sample may be, and what it is.
const SAMPLES: [(&str, &str); 3] = [
    ("stand-alone", "stock Envoy"),
    ("istio", "Istio `WasmPlugin`"),
    ("envoy-gateway", "Envoy Gateway `EnvoyExtensionPolicy`"),
];
const PLUGIN_EXAMPLE: &str = r#"{"mesh": "demo", "node": "front", "reporter": "gateway",
 "default": {"labels": {"virtualService": "color.local", "route": "all"}, "targets": ["blue"],
             "observability": {}}}"#;
const UPSTREAM_EXAMPLE: &str = r#"{"mesh": "demo", "node": "front", "reporter": "gateway",
 "upstream": {"name": "color.local", "budget": {"ratio": 0.2, "minPerSecond": 3, "windowSeconds": 10}}}"#;

/// All files of the reference by name.
///
/// # Errors
/// When an example is refused by the policy, or a page has nothing to show.
pub fn pages(root: &Path) -> Result<BTreeMap<String, String>> {
    let document = sorted(schema::plugin_config());
    let schema = Schema::new(&document);
    let mut pages = BTreeMap::new();
    for subject in &SUBJECTS {
        let page = filter(&schema, subject, root).with_context(|| format!("the page of {}", subject.name))?;
        pages.insert(format!("{}.md", subject.name), page);
    }
    pages.insert(
        "plugin.md".to_owned(),
        plugin(&schema).context("the page of the plugin")?,
    );
    pages.insert("README.md".to_owned(), index());
    pages.insert(
        "schema.json".to_owned(),
        serde_json::to_string_pretty(&document)? + "\n",
    );
    Ok(pages)
}

/// The files that are not there, are different, or are no part of the reference.
///
/// # Errors
/// When the folder cannot be read.
pub fn stale(root: &Path, pages: &BTreeMap<String, String>) -> Result<Vec<String>> {
    let folder = root.join(FOLDER);
    let differs = |name: &String, text: &String| fs::read_to_string(folder.join(name)).ok().as_ref() != Some(text);
    let mut stale: Vec<String> = pages
        .iter()
        .filter(|(name, text)| differs(name, text))
        .map(|(name, _)| name.clone())
        .collect();
    if folder.is_dir() {
        let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
        for entry in entries {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if !pages.contains_key(&name) {
                stale.push(name);
            }
        }
    }
    Ok(stale)
}

/// The plugin configuration that shows a filter.
///
/// # Errors
/// All mistakes that the policy finds.
pub fn example(subject: &Subject) -> Result<String> {
    let targets = if subject.example.contains("\"weights\"") {
        r#"["blue", "green"]"#
    } else {
        r#"["blue"]"#
    };
    let text = format!(
        "{{\n  \"mesh\": \"demo\",\n  \"node\": \"front\",\n  \"reporter\": \"gateway\",\n  \"default\": {{\n    \
         \"labels\": {{\"virtualService\": \"color.local\", \"route\": \"r1\"}},\n    \"targets\": {targets},\n    \
         \"{}\": {}\n  }}\n}}",
        subject.member,
        subject.example.replace('\n', "\n    ")
    );
    check(&text)?;
    Ok(text)
}

/// The same as a policy of the control plane.
pub fn policy(subject: &Subject) -> String {
    let member = subject.in_policy.unwrap_or(subject.example);
    format!(
        "{{\n  \"target\": {{\"virtualService\": \"color.local\"}},\n  \"spec\": {{\n    \"{}\": {}\n  }}\n}}",
        subject.member,
        member.replace('\n', "\n    ")
    )
}

/// The same with the members of objects in the order of their names, whatever order other crates make `serde_json` keep.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let members = members.into_iter().map(|(name, value)| (name, sorted(value)));
            Value::Object(members.collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn check(text: &str) -> Result<()> {
    let config = PluginConfig::parse(text.as_bytes()).context("the example is refused")?;
    let mistakes: Vec<String> = config.check().iter().map(ToString::to_string).collect();
    ensure!(mistakes.is_empty(), "the example is refused: {}", mistakes.join("; "));
    Ok(())
}

fn filter(schema: &Schema<'_>, subject: &Subject, root: &Path) -> Result<String> {
    let Subject {
        name, title, member, ..
    } = subject;
    let variables: Vec<String> = headers::VARIABLES
        .iter()
        .map(|(name, of_response)| {
            let only = if *of_response { " (responses only)" } else { "" };
            format!("`{{{name}}}`{only}")
        })
        .collect();
    let does = subject.does.replace("VARIABLES", &variables.join(", "));
    let mut page = format!("{MADE}# {title}\n\n{does}\n\n## Where it is attached\n\n");
    writeln!(
        page,
        "- Module `{name}.wasm` alone, or `mesh.wasm`, which has all filters."
    )?;
    writeln!(
        page,
        "- Any Envoy: the member `{member}` of a route's policy, in `default` or `routes` of the [plugin \
         configuration](plugin.md) or in the route's own metadata (filter `ferromesh`, key `policy`)."
    )?;
    writeln!(
        page,
        "- With the control plane: the member `{member}` of a policy's `spec` in `/v1/policies`. {}",
        subject.in_policies
    )?;
    let found = samples(subject.name, root);
    ensure!(!found.is_empty(), "there is no sample in envoy-configs/");
    writeln!(page, "- Samples: {found}.")?;
    write!(
        page,
        "\n## Example\n\nThe plugin configuration of any Envoy:\n\n```json\n{}\n```\n\n",
        example(subject)?
    )?;
    write!(page, "{}\n\n", subject.shows)?;
    write!(
        page,
        "With the control plane, as the body of `PUT /v1/policies/MESH/NAME`:\n\n```json\n{}\n```\n\n",
        policy(subject)
    )?;
    let fields = schema.fields(subject.definition, member, &[]);
    ensure!(!fields.is_empty(), "{} has no fields", subject.definition);
    let about = schema.definition(subject.definition);
    let about = about
        .and_then(|members| members.get("description")?.as_str())
        .unwrap_or_default();
    write!(page, "## Fields\n\n{about}\n\n{}", table(&fields))?;
    write!(
        page,
        "\n## Cost\n\n{}\n\n## When it fails\n\n{}\n",
        subject.cost, subject.failure
    )?;
    page.push_str("\nWhat holds for every module is in [plugin configuration](plugin.md#when-a-module-fails).\n");
    Ok(page)
}

fn samples(name: &str, root: &Path) -> String {
    let mut links = Vec::new();
    for (folder, what) in SAMPLES {
        let file = format!("envoy-configs/{folder}/{name}.yaml");
        if root.join(&file).is_file() {
            links.push(format!("[{what}](../../{file})"));
        }
    }
    links.join(", ")
}

fn plugin(schema: &Schema<'_>) -> Result<String> {
    check(PLUGIN_EXAMPLE)?;
    check(UPSTREAM_EXAMPLE)?;
    let features: Vec<&str> = SUBJECTS.iter().map(|subject| subject.definition).collect();
    let in_plugin: Vec<&str> = features.iter().copied().chain(["RouteConfig"]).collect();
    let own = schema.fields("PluginConfig", "", &in_plugin);
    let route = schema.fields("RouteConfig", "", &features);
    ensure!(!own.is_empty() && !route.is_empty(), "there are no fields");
    let links: Vec<String> = SUBJECTS
        .iter()
        .map(|subject| format!("[`{}`]({}.md)", subject.member, subject.name))
        .collect();
    Ok(format!(
        "{MADE}# Plugin configuration\n\n{}\n\n## Modules\n\n{}\n\n## Example\n\n```json\n{PLUGIN_EXAMPLE}\n```\n\n{}\n\n\
         ## Fields of the plugin\n\n{}\n## Fields of a route's policy\n\n{}\n\n{}\n\
         Members with a page of their own: {}.\n\n## As an upstream filter\n\n{}\n\n```json\n{UPSTREAM_EXAMPLE}\n```\n\n\
         ## When a module fails\n\n{}\n",
        include_str!("plugin/about.md").trim_end(),
        modules(),
        include_str!("plugin/example.md").trim_end(),
        table(&own),
        include_str!("plugin/route.md").trim_end(),
        table(&route),
        links.join(", "),
        include_str!("plugin/upstream.md").trim_end(),
        include_str!("plugin/failure.md").trim_end(),
    ))
}

/// The table of modules: those of all filters, then those of one.
fn modules() -> String {
    let mut table = include_str!("plugin/modules.md").to_owned();
    for subject in &SUBJECTS {
        table.push_str(&format!("| `{}.wasm` | `{}` |\n", subject.name, subject.member));
    }
    table.trim_end().to_owned()
}

fn index() -> String {
    let mut page = format!(
        "{MADE}# Filters\n\n{}\n\n| page | module | member |\n|---|---|---|\n",
        include_str!("plugin/index.md").trim_end()
    );
    for Subject {
        name, title, member, ..
    } in &SUBJECTS
    {
        page.push_str(&format!("| [{title}]({name}.md) | `{name}.wasm` | `{member}` |\n"));
    }
    page.push_str("| [Plugin configuration](plugin.md) | all | |\n");
    page
}

/// A table in Markdown.
fn table(fields: &[Field]) -> String {
    let mut table = String::from("| field | type | default | limits | description |\n|---|---|---|---|---|\n");
    for field in fields {
        let default = match &field.default {
            Default::Required => "required".to_owned(),
            Default::Value(value) if value.is_number() => number(value),
            Default::Value(value) => format!("`{value}`"),
            Default::Absent => "absent".to_owned(),
            Default::Choice => String::new(),
        };
        let mut description = cell(&field.description);
        for (word, says) in &field.values {
            let says = if says.is_empty() {
                String::new()
            } else {
                format!(": {}", cell(says))
            };
            description.push_str(&format!("<br>`{word}`{says}"));
        }
        table.push_str(&format!(
            "| `{}` | {} | {default} | {} | {description} |\n",
            field.path, field.form, field.limits
        ));
    }
    table
}

/// Text in a cell: one line, no bar that would end it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace("\n\n", "<br>").replace('\n', " ")
}
