//! One client through the whole table: what it gets is what it sent, page by page, and the server saw no call that the
//! table does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use anyhow::{ensure, Context, Result};
use ferromesh_integration::rig::Rig;
use serde_json::{json, Map, Value};

use crate::client::{Client, Said};
use crate::model::Model;
use crate::table::{self, Step, ACCOUNT};

/// Takes every step and judges what came of it.
pub async fn walk(client: Client) -> Result<()> {
    let rig = Rig::start().await?;
    let folder = rig.file("");
    let model = Model::read(&folder).await?;
    let steps = table::read()?;
    let said = client
        .take(&format!("http://{}", rig.address()), &folder, &steps)
        .await?;
    let mut expected = Expected::default();
    let mut calls: BTreeMap<&str, u64> = BTreeMap::new();
    for (number, (step, said)) in steps.iter().zip(said).enumerate() {
        let named = || {
            format!(
                "{client}, step {number}, {} {}",
                step.call,
                Value::from(step.input.clone())
            )
        };
        let message = format!("{said:?}");
        judge(client, &model, &mut expected, step, said)
            .with_context(|| message)
            .with_context(named)?;
        if step.refused.is_none() {
            *calls.entry(&step.call).or_default() += 1;
        }
    }
    ensure!(expected.resources.is_empty(), "left over: {:?}", expected.resources);
    let called: BTreeSet<String> = calls.keys().map(|call| (*call).to_owned()).collect();
    let missing: Vec<_> = model.operations.difference(&called).collect();
    ensure!(missing.is_empty(), "{client} does not call {missing:?}");
    let counts: Vec<String> = calls.iter().map(|(call, count)| format!("{call} {count}")).collect();
    // Past the harness, which keeps what passing tests print to itself.
    let _ = writeln!(
        std::io::stderr(),
        "{client:<10} × {} operations: {}",
        calls.len(),
        counts.join(", ")
    );
    seen_by_the_server(&rig, &expected.requests).await
}

/// What the server should have after the steps so far.
#[derive(Default)]
struct Expected {
    /// By ARN.
    resources: BTreeMap<String, Resource>,
    /// Requests that the server should have answered, by operation and outcome.
    requests: BTreeMap<(String, String), u64>,
}

#[derive(Debug)]
struct Resource {
    names: Map<String, Value>,
    spec: Value,
    version: u64,
    uid: Value,
    tags: BTreeMap<String, Value>,
}

impl Expected {
    fn count(&mut self, step: &Step, code: &str, requests: usize) {
        let key = (step.call.clone(), code.to_owned());
        *self.requests.entry(key).or_default() += requests as u64;
    }
}

fn judge(client: Client, model: &Model, expected: &mut Expected, step: &Step, said: Said) -> Result<()> {
    let pages = match (said, &step.refused) {
        (
            Said::Refusal {
                refused,
                status,
                message,
            },
            Some(wanted),
        ) => {
            ensure!(refused == *wanted, "{refused} is not {wanted}");
            let known = model.errors.get(wanted).copied();
            ensure!(status.is_none() || status == known, "{wanted} has {known:?}");
            ensure!(message.is_some_and(|message| !message.is_empty()), "without a message");
            expected.count(step, wanted, 1);
            return Ok(());
        }
        (Said::Answer { output }, None) => vec![output],
        (Said::Pages { pages }, None) => pages,
        (Said::Broken { broken }, _) => anyhow::bail!("{broken}"),
        _ => anyhow::bail!("expected {}", step.refused.as_deref().unwrap_or("an answer")),
    };
    let first = pages.first().cloned().unwrap_or_default();
    match (step.verb(), step.call.as_str()) {
        (Some(("List", _)), _) => {
            let prefix = step.collection();
            let listed = |arn: &&String| arn.strip_prefix(&prefix).is_some_and(|rest| is_own(step, rest));
            let mut wanted: Vec<(&String, u64)> = expected
                .resources
                .iter()
                .filter(|(arn, _)| listed(arn))
                .map(|(arn, resource)| (arn, resource.version))
                .collect();
            wanted.sort_by_key(|(arn, _)| (*arn).clone());
            let items = items(&pages, &plural(step));
            let mut found = Vec::new();
            for item in &items {
                let arn = item["arn"].as_str().context("an item has an arn")?.to_owned();
                let resource = expected.resources.get(&arn).context("lists what is there")?;
                for (member, name) in &resource.names {
                    ensure!(item[member] == *name, "{member} of {item}");
                }
                times(item)?;
                found.push((arn, item["version"].as_u64().unwrap_or_default()));
            }
            found.sort();
            let wanted: Vec<_> = wanted
                .into_iter()
                .map(|(arn, version)| (arn.clone(), version))
                .collect();
            let limit = step.input.get("limit").and_then(Value::as_u64);
            let wanted = &wanted[..limit.map_or(wanted.len(), |limit| wanted.len().min(limit as usize))];
            ensure!(found == wanted, "{found:?} is not {wanted:?}");
            let requests = paged(client, step, &pages, items.len())?;
            expected.count(step, "200", requests);
        }
        (Some((verb, _)), _) => {
            let kind = step.kind().context("a kind")?;
            resource(expected, verb, step, &first[kind])?;
            expected.count(step, "200", 1);
        }
        (None, "TagResource") => {
            let tags = table::tags(step.input.get("tags").unwrap_or(&Value::Null));
            tagged(expected, step)?.extend(tags);
            expected.count(step, "200", 1);
        }
        (None, "UntagResource") => {
            let keys = step.input.get("tagKeys").and_then(Value::as_array);
            let tags = tagged(expected, step)?;
            for key in keys.into_iter().flatten().filter_map(Value::as_str) {
                tags.remove(key);
            }
            expected.count(step, "200", 1);
        }
        (None, _) => {
            let items = items(&pages, "tags");
            let found = table::tags(&Value::from(items.clone()));
            let wanted = tagged(expected, step)?;
            ensure!(found == *wanted, "{found:?} is not {wanted:?}");
            let requests = paged(client, step, &pages, items.len())?;
            expected.count(step, "200", requests);
        }
    }
    Ok(())
}

/// The answer to a create, describe, update or delete.
fn resource(expected: &mut Expected, verb: &str, step: &Step, found: &Value) -> Result<()> {
    let arn = step.arn();
    let before = expected.resources.get(&arn);
    let metadata = &found["metadata"];
    ensure!(metadata["arn"] == json!(arn), "the arn is not {arn}");
    let names: Map<String, Value> = step
        .input
        .iter()
        .filter(|(member, _)| member.ends_with("Name"))
        .map(|(member, name)| (member.clone(), name.clone()))
        .collect();
    for (member, name) in &names {
        ensure!(found[member] == *name, "{member} is not {name}");
    }
    for owner in ["meshOwner", "resourceOwner"] {
        ensure!(metadata[owner] == json!(ACCOUNT), "{owner}");
    }
    times(metadata)?;
    let version = metadata["version"].as_u64().context("a version")?;
    let spec = match (verb, before) {
        ("Create" | "Update", _) => step.added.clone().or_else(|| step.input.get("spec").cloned()),
        (_, before) => before.map(|before| before.spec.clone()),
    };
    let spec = spec.unwrap_or_else(|| json!({}));
    ensure!(found["spec"] == spec, "the spec is not {spec}");
    let status = if verb == "Delete" { "DELETED" } else { "ACTIVE" };
    ensure!(found["status"]["status"] == json!(status), "the status is not {status}");
    if let Some(before) = before {
        ensure!(metadata["uid"] == before.uid, "the uid is another one");
        let advances = match verb {
            "Update" => true,
            "Delete" => step.kind() != Some("mesh"),
            _ => false,
        };
        let wanted = before.version + u64::from(advances);
        ensure!(version == wanted, "the version is not {wanted}");
    } else {
        ensure!((verb, version) == ("Create", 1), "the first version is 1");
    }
    let tags = match expected.resources.remove(&arn) {
        Some(before) => before.tags,
        None => table::tags(step.input.get("tags").unwrap_or(&Value::Null)),
    };
    if verb != "Delete" {
        let uid = metadata["uid"].clone();
        let resource = Resource {
            names,
            spec,
            version,
            uid,
            tags,
        };
        expected.resources.insert(arn, resource);
    }
    Ok(())
}

/// Epoch seconds, and not in the wrong order.
fn times(metadata: &Value) -> Result<()> {
    let time = |member: &str| {
        metadata[member]
            .as_f64()
            .with_context(|| format!("{member} is no number"))
    };
    let (created, updated) = (time("createdAt")?, time("lastUpdatedAt")?);
    ensure!(1.6e9 < created && created <= updated && updated < 1e11, "times");
    Ok(())
}

/// How many requests the items take; the pages, where the client shows them, are as large as asked for.
fn paged(client: Client, step: &Step, pages: &[Value], items: usize) -> Result<usize> {
    let Some(size) = step.pages else { return Ok(1) };
    let requests = items.div_ceil(size).max(1);
    // The command line puts pages together before it prints them.
    ensure!(
        matches!(client, Client::CommandLine | Client::Skeletons) || pages.len() == requests,
        "{} pages",
        pages.len()
    );
    Ok(requests)
}

fn items(pages: &[Value], member: &str) -> Vec<Value> {
    let lists = pages.iter().filter_map(|page| page[member].as_array());
    lists.flatten().cloned().collect()
}

fn tagged<'a>(expected: &'a mut Expected, step: &Step) -> Result<&'a mut BTreeMap<String, Value>> {
    let arn = step.text("resourceArn");
    let resource = expected.resources.get_mut(arn).context("tags of what is there")?;
    Ok(&mut resource.tags)
}

/// `virtualNodes` of `ListVirtualNodes`.
fn plural(step: &Step) -> String {
    let noun = step.verb().map_or("", |(_, noun)| noun);
    let mut letters = noun.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_ascii_lowercase().to_string() + letters.as_str()
    })
}

/// Whether the rest of an ARN is a name of the listed kind, not something below; only services' names have slashes.
fn is_own(step: &Step, rest: &str) -> bool {
    step.kind() == Some("virtualService") || !rest.contains('/')
}

/// The server answered what the table has: no retries, no page twice.
async fn seen_by_the_server(rig: &Rig, expected: &BTreeMap<(String, String), u64>) -> Result<()> {
    let page = reqwest::Client::builder().no_proxy().build()?;
    let text = page.get(format!("http://{}/metrics", rig.address())).send().await?;
    let text = text.text().await?;
    for ((operation, code), wanted) in expected {
        let found: u64 = text
            .lines()
            .filter(|line| {
                line.starts_with("ferromesh_api_requests_total{")
                    && line.contains(&format!("operation=\"{operation}\""))
                    && line.contains(&format!("code=\"{code}\""))
            })
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<u64>().ok())
            .sum();
        ensure!(
            found == *wanted,
            "{operation} {code}: the server answered {found}, expected {wanted}"
        );
    }
    Ok(())
}
