//! What a case file says.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::Path};

use anyhow::{ensure, Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::step::Step;

/// One case: a mesh, the proxy under test, what is around it, and what happens.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Case {
    /// `<feature>/<file>`, and what distinguishes the variant.
    #[serde(skip)]
    pub name: String,
    /// A sentence on what is shown.
    pub description: String,
    /// The leaves of the spec trees that the expectations show; read by `cargo xtask coverage`.
    pub shows: Vec<String>,
    /// Values for `${…}` in the file, one of them `name`; the case runs once for each.
    #[serde(default)]
    pub variants: Vec<BTreeMap<String, String>>,
    /// `virtualGateway/<name>` or `virtualNode/<name>`.
    pub proxy: String,
    /// Another proxy that runs across the network: a `virtualGateway/<name>`.
    pub across: Option<String>,
    /// Variables of the proxy's environment besides those that every proxy gets.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Names that the proxy's `/etc/hosts` has, with their addresses.
    #[serde(default)]
    pub hosts: BTreeMap<String, Vec<String>>,
    /// The servers, by name.
    #[serde(default)]
    pub servers: BTreeMap<String, Server>,
    /// What requests have in common.
    #[serde(default)]
    pub ask: serde_json::Map<String, Value>,
    /// In the order of creation; the mesh itself need not be among them.
    pub resources: Vec<Resource>,
    /// What happens, in this order.
    pub steps: Vec<Step>,
}

/// One resource.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resource {
    /// `mesh`, `virtualNode`, …, `gatewayRoute`.
    pub kind: String,
    #[serde(default)]
    pub name: String,
    /// Virtual router or virtual gateway.
    pub parent: Option<String>,
    pub spec: Value,
}

/// A server: an application of the mesh, or one outside.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Where it listens: on 127.0.0.1 or ::1 beside the proxy, on any other address across the network.
    pub at: SocketAddr,
    /// What it speaks.
    #[serde(default, rename = "as")]
    pub speaks: Speaks,
    /// The name of the certificate that it shows, if it speaks TLS. It asks its clients for theirs.
    pub tls: Option<String>,
    /// How it answers at first.
    #[serde(default)]
    pub answers: Answers,
}

/// What a server speaks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// HTTP of both versions, and gRPC.
    #[default]
    Http,
    /// Bytes: the server's name comes back for the first ones.
    Tcp,
}

/// How a server answers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
pub struct Answers {
    /// The first so many requests fail, each other is answered with 200.
    pub first: u64,
    /// Every request fails.
    pub always: bool,
    /// The status of a request that fails.
    pub status: u16,
    /// The gRPC status of a gRPC request that fails.
    pub grpc: u32,
    /// A request that fails gets no answer: its connection is closed.
    pub close: bool,
    /// How long every request waits, in milliseconds.
    pub delay: u64,
    /// The same for those that fail and no others.
    pub fail_delay: u64,
    /// How health checks (`/ping`, and gRPC's) are answered.
    pub health: Health,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            first: 0,
            always: false,
            status: 503,
            grpc: 14,
            close: false,
            delay: 0,
            fail_delay: 0,
            health: Health::Good,
        }
    }
}

/// How a server answers health checks.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    #[default]
    Good,
    /// With 503, or as not serving.
    Bad,
    /// The connection is closed.
    Closed,
    /// Well, but only after 3 s.
    Slow,
}

/// How many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Value")]
pub struct Count {
    least: u64,
    most: u64,
}

impl Count {
    pub fn holds(self, count: u64) -> bool {
        (self.least..=self.most).contains(&count)
    }
}

impl TryFrom<Value> for Count {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let exactly = |count| Self {
            least: count,
            most: count,
        };
        if let Some(count) = value.as_u64() {
            return Ok(exactly(count));
        }
        let range = value.as_str().and_then(|text| text.split_once(".."));
        let (least, most) = range.ok_or_else(|| format!("{value} is neither a number nor a range such as 3..5"))?;
        let bound = |text: &str, otherwise| match text {
            "" => Ok(otherwise),
            text => text.parse::<u64>().map_err(|error| format!("{value}: {error}")),
        };
        Ok(Self {
            least: bound(least, 0)?,
            most: bound(most, u64::MAX)?,
        })
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.least, self.most) {
            (least, most) if least == most => write!(formatter, "{least}"),
            (least, u64::MAX) => write!(formatter, "{least} or more"),
            (least, most) => write!(formatter, "{least} to {most}"),
        }
    }
}

impl Case {
    /// All cases below a folder, a case with variants once for each, in the order of their names.
    ///
    /// # Errors
    /// A file cannot be read as a case.
    pub fn all(folder: &Path, files: &Path) -> Result<Vec<Self>> {
        let mut found = Vec::new();
        for feature in sorted(folder)?.iter().filter(|path| path.is_dir()) {
            for file in sorted(feature)? {
                let text = std::fs::read_to_string(&file)?;
                let stem = file.file_stem().unwrap_or_default().to_string_lossy();
                let feature = feature.file_name().unwrap_or_default().to_string_lossy();
                let name = format!("{feature}/{stem}");
                found.extend(Self::read(&name, &text, files).with_context(|| name)?);
            }
        }
        ensure!(!found.is_empty(), "no cases in {}", folder.display());
        Ok(found)
    }

    fn read(name: &str, text: &str, files: &Path) -> Result<Vec<Self>> {
        #[derive(Deserialize)]
        struct Variants {
            variants: Vec<BTreeMap<String, String>>,
        }
        // By itself: the rest is not YAML before it is filled in.
        let block = text.lines().skip_while(|line| !line.starts_with("variants:"));
        let block = block
            .enumerate()
            .take_while(|(number, line)| *number == 0 || line.starts_with(' '));
        let block: Vec<&str> = block.map(|(_, line)| line).collect();
        let mut variants = match block.as_slice() {
            [] => Vec::new(),
            block => serde_saphyr::from_str::<Variants>(&block.join("\n"))?.variants,
        };
        if variants.is_empty() {
            variants.push(BTreeMap::new());
        }
        let mut cases = Vec::new();
        for variant in variants {
            ensure!(
                variant.is_empty() || variant.contains_key("name"),
                "{variant:?} has no name"
            );
            let mut filled = text.replace("${files}", &files.display().to_string());
            for (variable, value) in &variant {
                filled = filled.replace(&format!("${{{variable}}}"), value);
            }
            let mut case: Self = serde_saphyr::from_str(&filled).with_context(|| format!("with {variant:?}"))?;
            case.name = match variant.get("name") {
                None => name.to_owned(),
                Some(variant) => format!("{name}, {variant}"),
            };
            cases.push(case);
        }
        Ok(cases)
    }
}

fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut paths: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "description: d
variants:
  - {name: one, port: '1'}
  - {name: two, port: '2'}
shows: []
proxy: virtualNode/n
servers:
  s: {at: \"127.0.0.1:${port}\"}
resources: []
steps:
  - {log: {file: ${files}/x, lines: []}}
";

    #[test]
    fn a_case_is_read_once_for_each_of_its_variants() {
        let cases = Case::read("f/c", TEXT, Path::new("/files")).expect("cases");
        let read: Vec<_> = cases
            .iter()
            .map(|case| (case.name.as_str(), case.servers["s"].at.port()))
            .collect();
        assert_eq!(read, [("f/c, one", 1), ("f/c, two", 2)]);
        let log = cases[0].steps[0].log.as_ref().map(|log| log.file.as_str());
        assert_eq!(log, Some("/files/x"));
    }

    #[test]
    fn a_misspelt_expectation_is_refused() {
        let text = TEXT.replace("log: {file: ${files}/x, lines: []}", "expect: {staus: 200}");
        let error = Case::read("f/c", &text, Path::new("/files")).expect_err("no such expectation");
        assert!(format!("{error:#}").contains("staus"), "{error:#}");
    }

    #[test]
    fn a_count_is_a_number_or_a_range_with_both_ends_in_it() {
        let count = |text: &str| serde_json::from_str::<Count>(text);
        let held = |text: &str| {
            (0..10)
                .filter(|n| count(text).is_ok_and(|c| c.holds(*n)))
                .collect::<Vec<u64>>()
        };
        assert_eq!(held("3"), [3]);
        assert_eq!(held("\"3..5\""), [3, 4, 5]);
        assert_eq!(held("\"8..\""), [8, 9]);
        assert!(count("\"many\"").is_err());
    }
}
