//! What a case does and expects, step by step.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::{anyhow, ensure, Context, Result};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    case::{Answers, Count},
    client::Ask,
    expect::Expect,
    run::Running,
};
use crate::rig::eventually;

/// How long something that takes a moment may take; outlier detection and health checks have intervals of seconds.
const PATIENCE: Duration = Duration::from_secs(45);

/// One step. Its parts are done in the order of the fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Step {
    /// How servers answer from now on, by name.
    #[serde(default)]
    pub answer: BTreeMap<String, Answers>,
    /// A request; what it leaves out is as the case's own `ask` says.
    pub ask: Option<Map<String, Value>>,
    /// How often it is sent, one after the other.
    #[serde(default = "once")]
    pub times: usize,
    /// They are sent so many milliseconds apart, whether answers have come or not.
    pub every: Option<u64>,
    /// The request is repeated until the expectation holds.
    #[serde(default)]
    pub until: bool,
    #[serde(default)]
    pub expect: Expect,
    /// Steps that are done at the same time.
    #[serde(default)]
    pub together: Vec<Step>,
    /// Sums of Envoy's counters and gauges, by an expression for their names, as they must become.
    #[serde(default)]
    pub stats: BTreeMap<String, Count>,
    /// Expressions for lines that Envoy's `/clusters` must come to have.
    #[serde(default)]
    pub clusters: Vec<String>,
    /// What must come to be in a file.
    pub log: Option<Log>,
}

/// The lines of a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub file: String,
    /// An expression for each line, in order; the whole line must match.
    pub lines: Vec<String>,
}

fn once() -> usize {
    1
}

impl Step {
    /// Does it.
    ///
    /// # Errors
    /// What differs from what is expected.
    pub async fn run(&self, running: &Running<'_>) -> Result<()> {
        for (name, answers) in &self.answer {
            running.server(name)?.answer(answers.clone());
        }
        if let Some(ask) = &self.ask {
            self.ask(ask, running).await.with_context(|| format!("ask {ask:?}"))?;
        }
        let together = self.together.iter().map(|step| Box::pin(step.run(running)));
        futures_util::future::try_join_all(together).await?;
        self.check_admin(running).await?;
        match &self.log {
            Some(log) => log.check().await,
            None => Ok(()),
        }
    }

    async fn ask(&self, ask: &Map<String, Value>, running: &Running<'_>) -> Result<()> {
        let mut merged = running.case.ask.clone();
        merged.extend(ask.clone());
        let ask: Ask = serde_json::from_value(merged.into())?;
        if !self.until {
            return self.ask_once(&ask, running).await;
        }
        let mut last = None;
        let came = eventually("an answer as expected", PATIENCE, async || {
            last = self.ask_once(&ask, running).await.err();
            last.is_none().then_some(())
        })
        .await;
        came.map_err(|error| last.unwrap_or(error))
    }

    async fn ask_once(&self, ask: &Ask, running: &Running<'_>) -> Result<()> {
        let before = running.arrived();
        let send = &|| {
            running
                .place(&ask.to.ip())
                .run(ask.clone().send(running.certificates.clone()))
        };
        let mut replies = Vec::new();
        if let Some(gap) = self.every {
            let all = (0..self.times).map(|number| async move {
                tokio::time::sleep(Duration::from_millis(gap * number as u64)).await;
                send().await
            });
            replies = futures_util::future::try_join_all(all).await?;
        } else {
            for _ in 0..self.times {
                replies.push(send().await?);
            }
        }
        let wrong = self.expect.differences(&replies, &before, &running.arrived());
        ensure!(wrong.is_empty(), "{}", wrong.join("; "));
        Ok(())
    }

    async fn check_admin(&self, running: &Running<'_>) -> Result<()> {
        for (filter, expected) in &self.stats {
            let mut found = BTreeMap::new();
            let came = eventually("statistics as expected", PATIENCE, async || {
                found = running.stats(filter).await.ok()?;
                expected.holds(found.values().sum()).then_some(())
            })
            .await;
            came.map_err(|error| anyhow!("{error}: {filter}: expected {expected}, found {found:?}"))?;
        }
        for line in &self.clusters {
            let wanted = Regex::new(line)?;
            let mut text = String::new();
            let came = eventually("a line of /clusters", PATIENCE, async || {
                text = running.admin("/clusters").await.ok()?;
                text.lines().any(|line| wanted.is_match(line)).then_some(())
            })
            .await;
            came.map_err(|error| anyhow!("{error}: {line} in\n{text}"))?;
        }
        Ok(())
    }
}

impl Log {
    async fn check(&self) -> Result<()> {
        let mut text = String::new();
        let came = eventually("the lines of a log", PATIENCE, async || {
            text = std::fs::read_to_string(&self.file).ok()?;
            (text.lines().count() >= self.lines.len()).then_some(())
        })
        .await;
        came.with_context(|| format!("{}:\n{text}", self.file))?;
        let found: Vec<&str> = text.lines().collect();
        let matches = |(line, expected): (&&str, &String)| -> Result<bool> {
            Ok(Regex::new(&format!("^(?:{expected})$"))?.is_match(line))
        };
        let mut all = found.len() == self.lines.len();
        for pair in found.iter().zip(&self.lines) {
            all &= matches(pair)?;
        }
        ensure!(all, "{}: expected {:#?}, found {found:#?}", self.file, self.lines);
        Ok(())
    }
}

/// Whether an address is the task's own, so that it is dialled from outside.
pub fn is_of_the_mesh(address: &IpAddr) -> bool {
    ["10.77.0.1", "fd77::1"].iter().any(|own| address.to_string() == *own)
}
