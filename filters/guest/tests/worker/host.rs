//! A host in memory: one stream's view at a time, all metrics, and refusals on demand.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use ferromesh_guest::{Host, Level, MetricType, Status};
use ferromesh_policy::rate_limit::{Memory, Shared, SharedRead, SharedWrite};
use ferromesh_policy::vectors::{HeaderValue, Headers, Metric};
use ferromesh_policy::{Property, Reply, View, Write};

#[derive(Default)]
pub struct FakeHost {
    pub now: Duration,
    /// What the wall clock shows at 0.
    pub unix_ms: u64,
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
    pub shared: Memory,
    /// Replies and streams that went on, by the context that was entered before.
    pub entered: Cell<u32>,
    pub refuses_replies: Option<Status>,
    pub replies: RefCell<Vec<(u32, u16, Vec<u8>)>>,
    pub resumed: RefCell<Vec<u32>>,
    /// Streams that were closed without an answer.
    pub closed: Cell<u32>,
    pub refuses_closes: Option<Status>,
    pub tick_period: Cell<Duration>,
    /// Cluster, path and body of each call, numbered from 1.
    pub posts: RefCell<Vec<(String, String, String)>>,
    /// What the call whose answer is told was answered with.
    pub post_status: Cell<Option<u16>>,
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

    fn write(&self, headers: &RefCell<Headers>, name: &str, write: Write<'_>) -> Result<(), Status> {
        self.writes.borrow_mut().push(name.to_owned());
        self.answer()?;
        let mut headers = headers.borrow_mut();
        if !matches!(write, Write::Add(_)) {
            headers.retain(|(header, _)| header != name);
        }
        if let Write::Set(value) | Write::Add(value) = write {
            headers.push((name.to_owned(), HeaderValue(value.to_vec())));
        }
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

impl Shared for FakeHost {
    type Value<'a> = Vec<u8>;
    fn get(&self, key: &[u8]) -> SharedRead<Vec<u8>> {
        match self.answer() {
            Ok(()) => self.shared.get(key),
            Err(_) => SharedRead::Refused,
        }
    }
    fn set(&self, key: &[u8], value: &[u8], cas: u32) -> SharedWrite {
        match self.answer() {
            Ok(()) => self.shared.set(key, value, cas),
            Err(_) => SharedWrite::Refused,
        }
    }
}

impl Host for FakeHost {
    fn monotonic(&self) -> Duration {
        self.now
    }
    fn unix(&self) -> Duration {
        self.now.saturating_add(Duration::from_millis(self.unix_ms))
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
    fn set_tick_period(&self, period: Duration) -> Result<(), Status> {
        self.tick_period.set(period);
        self.answer()
    }
    fn write_request_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        self.write(&self.request, name, write)
    }
    fn write_response_header(&self, name: &str, write: Write<'_>) -> Result<(), Status> {
        self.write(&self.response, name, write)
    }
    fn reply(&self, reply: &Reply<'_>, headers: &[u8]) -> Result<(), Status> {
        self.refuses_replies.map_or(Ok(()), Err)?;
        self.answer()?;
        let mut replies = self.replies.borrow_mut();
        replies.push((self.entered.get(), reply.status, headers.to_vec()));
        Ok(())
    }
    fn enter(&self, context: u32) -> Result<(), Status> {
        self.entered.set(context);
        self.answer()
    }
    fn resume(&self) -> Result<(), Status> {
        self.resumed.borrow_mut().push(self.entered.get());
        self.answer()
    }
    fn close(&self) -> Result<(), Status> {
        self.closed.set(self.closed.get() + 1);
        self.refuses_closes.map_or(Ok(()), Err)
    }
    fn set_property(&self, path: &[u8], _: &[u8]) -> Result<(), Status> {
        self.writes
            .borrow_mut()
            .push(String::from_utf8_lossy(path).into_owned());
        self.answer()
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
    fn post(&self, cluster: &str, path: &str, body: &[u8], _: Duration) -> Result<u32, Status> {
        let mut posts = self.posts.borrow_mut();
        posts.push((
            cluster.to_owned(),
            path.to_owned(),
            String::from_utf8(body.to_vec()).unwrap(),
        ));
        self.answer()?;
        Ok(u32::try_from(posts.len()).unwrap())
    }
    fn post_status(&self) -> Option<u16> {
        self.post_status.get()
    }
}
