//! A host in memory: one stream's view at a time, all metrics, and refusals on demand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_guest::{Host, Level, MetricType, Status};
use ferromesh_policy::vectors::{HeaderValue, Headers, Metric};
use ferromesh_policy::{Property, View};

#[derive(Default)]
pub struct FakeHost {
    pub now: Duration,
    pub seed: u64,
    pub seeds_drawn: Cell<u32>,
    pub configuration: Vec<u8>,
    pub properties: BTreeMap<&'static [&'static str], Vec<u8>>,
    pub request: RefCell<Headers>,
    pub response: RefCell<Headers>,
    pub metrics: RefCell<Vec<(String, Metric)>>,
    pub logs: RefCell<Vec<(Level, String)>>,
    /// What every call that can be refused answers.
    pub status: Option<Status>,
    /// Calls that return data, by what they ask for.
    pub reads: RefCell<Vec<String>>,
    pub writes: RefCell<Vec<String>>,
    pub metric_calls: Cell<u32>,
}

impl FakeHost {
    fn answer(&self) -> Result<(), Status> {
        self.status.map_or(Ok(()), Err)
    }

    fn header(&self, headers: &RefCell<Headers>, name: &str) -> Option<Vec<u8>> {
        self.reads.borrow_mut().push(name.to_owned());
        self.answer().ok()?;
        let headers = headers.borrow();
        headers
            .iter()
            .find(|(header, _)| header == name)
            .map(|(_, value)| value.0.clone())
    }

    fn write(&self, headers: &RefCell<Headers>, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        self.writes.borrow_mut().push(name.to_owned());
        self.answer()?;
        let mut headers = headers.borrow_mut();
        headers.retain(|(header, _)| header != name);
        headers.extend(value.map(|value| (name.to_owned(), HeaderValue(value.to_vec()))));
        Ok(())
    }

    pub fn take_calls(&self) -> (Vec<String>, Vec<String>) {
        (self.reads.take(), self.writes.take())
    }
}

impl View for FakeHost {
    type Value<'a> = Vec<u8>;
    fn request_header(&self, name: &str) -> Option<Vec<u8>> {
        self.header(&self.request, name)
    }
    fn response_header(&self, name: &str) -> Option<Vec<u8>> {
        self.header(&self.response, name)
    }
    fn property(&self, property: Property) -> Option<Vec<u8>> {
        self.reads.borrow_mut().push(property.path().join("."));
        self.answer().ok()?;
        self.properties.get(property.path()).cloned()
    }
}

impl Host for FakeHost {
    fn now(&self) -> Duration {
        self.now
    }
    fn seed(&self) -> u64 {
        self.seeds_drawn.set(self.seeds_drawn.get() + 1);
        self.seed
    }
    fn log(&self, level: Level, line: &str) {
        self.logs.borrow_mut().push((level, line.to_owned()));
    }
    fn plugin_configuration(&self, _: usize) -> Option<Vec<u8>> {
        self.answer().ok()?;
        Some(self.configuration.clone())
    }
    fn set_tick_period(&self, _: Duration) -> Result<(), Status> {
        self.answer()
    }
    fn write_request_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        self.write(&self.request, name, value)
    }
    fn write_response_header(&self, name: &str, value: Option<&[u8]>) -> Result<(), Status> {
        self.write(&self.response, name, value)
    }
    fn define_metric(&self, kind: MetricType, name: &str) -> Result<u32, Status> {
        self.metric_calls.set(self.metric_calls.get() + 1);
        self.answer()?;
        let mut metrics = self.metrics.borrow_mut();
        metrics.push((
            name.to_owned(),
            match kind {
                MetricType::Counter => Metric::Counter(0),
                MetricType::Histogram => Metric::Histogram(Vec::new()),
            },
        ));
        Ok(u32::try_from(metrics.len()).unwrap() - 1)
    }
    fn increment_metric(&self, id: u32, amount: i64) -> Result<(), Status> {
        self.metric_calls.set(self.metric_calls.get() + 1);
        self.answer()?;
        match self.metrics.borrow_mut().get_mut(id as usize) {
            Some((_, Metric::Counter(total))) => *total += u64::try_from(amount).unwrap(),
            _ => return Err(Status(2)),
        }
        Ok(())
    }
    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        self.metric_calls.set(self.metric_calls.get() + 1);
        self.answer()?;
        match self.metrics.borrow_mut().get_mut(id as usize) {
            Some((_, Metric::Histogram(samples))) => samples.push(value),
            _ => return Err(Status(2)),
        }
        Ok(())
    }
}
