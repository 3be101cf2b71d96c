//! Counters, gauges and histograms that a guest defines.

use std::collections::BTreeMap;

use crate::abi::Status;

/// A metric's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricValue {
    /// Only ever grows.
    Counter(u64),
    /// The last value set.
    Gauge(u64),
    /// Every sample, in order.
    Histogram(Vec<u64>),
}

/// All metrics of a VM by the name they were defined with. Names are any bytes, as in Envoy.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    defined: Vec<Key>,
    values: BTreeMap<Key, MetricValue>,
}

type Key = (Kind, Vec<u8>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// Envoy keeps the kind in an id's lowest two bits.
const KIND_BITS: u32 = 2;

impl Metrics {
    /// Names and values, counters first, each kind by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &MetricValue)> {
        self.values.iter().map(|((_, name), value)| (name.as_slice(), value))
    }

    /// The value of the first metric with this name.
    pub fn get(&self, name: impl AsRef<[u8]>) -> Option<&MetricValue> {
        self.iter()
            .find(|(other, _)| *other == name.as_ref())
            .map(|(_, value)| value)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// A second definition of a name gives a new id for the same metric.
    pub(crate) fn define(&mut self, kind: u32, name: Vec<u8>) -> Result<u32, Status> {
        let (kind, zero) = match kind {
            0 => (Kind::Counter, MetricValue::Counter(0)),
            1 => (Kind::Gauge, MetricValue::Gauge(0)),
            2 => (Kind::Histogram, MetricValue::Histogram(Vec::new())),
            _ => return Err(Status::BadArgument),
        };
        let key = (kind, name);
        self.values.entry(key.clone()).or_insert(zero);
        self.defined.push(key);
        let index = u32::try_from(self.defined.len()).map_err(|_| Status::InternalFailure)?;
        Ok((index << KIND_BITS) | kind as u32)
    }

    /// Counters only grow; histograms cannot be moved by a difference.
    pub(crate) fn increment(&mut self, id: u32, by: i64) -> Result<(), Status> {
        match self.value(id)? {
            MetricValue::Counter(total) => {
                let by = u64::try_from(by).map_err(|_| Status::BadArgument)?;
                *total = total.wrapping_add(by);
            }
            MetricValue::Gauge(value) => *value = value.wrapping_add_signed(by),
            MetricValue::Histogram(_) => return Err(Status::BadArgument),
        }
        Ok(())
    }

    pub(crate) fn record(&mut self, id: u32, value: u64) -> Result<(), Status> {
        match self.value(id)? {
            MetricValue::Counter(total) => *total = total.wrapping_add(value),
            MetricValue::Gauge(old) => *old = value,
            MetricValue::Histogram(samples) => samples.push(value),
        }
        Ok(())
    }

    pub(crate) fn read(&mut self, id: u32) -> Result<u64, Status> {
        match self.value(id)? {
            MetricValue::Counter(value) | MetricValue::Gauge(value) => Ok(*value),
            MetricValue::Histogram(_) => Err(Status::BadArgument),
        }
    }

    fn value(&mut self, id: u32) -> Result<&mut MetricValue, Status> {
        let key = (id >> KIND_BITS)
            .checked_sub(1)
            .and_then(|index| self.defined.get(index as usize))
            .filter(|(kind, _)| *kind as u32 == id & ((1 << KIND_BITS) - 1))
            .ok_or(Status::NotFound)?;
        self.values.get_mut(key).ok_or(Status::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_definitions_of_a_name_are_one_metric() {
        let mut metrics = Metrics::default();
        let one = metrics.define(0, b"n".to_vec()).unwrap();
        let two = metrics.define(0, b"n".to_vec()).unwrap();
        assert_ne!(one, two);
        metrics.increment(one, 2).unwrap();
        metrics.record(two, 3).unwrap();
        assert_eq!(metrics.read(one), Ok(5));
        assert_eq!(metrics.len(), 1);
    }

    #[test]
    fn each_kind_takes_only_what_it_can() {
        let mut metrics = Metrics::default();
        let counter = metrics.define(0, b"c".to_vec()).unwrap();
        let gauge = metrics.define(1, b"g".to_vec()).unwrap();
        let histogram = metrics.define(2, b"h".to_vec()).unwrap();
        assert_eq!(metrics.increment(counter, -1), Err(Status::BadArgument));
        assert_eq!(metrics.increment(gauge, -1), Ok(()));
        assert_eq!(metrics.read(gauge), Ok(u64::MAX));
        assert_eq!(metrics.increment(histogram, 1), Err(Status::BadArgument));
        assert_eq!(metrics.record(histogram, 12), Ok(()));
        assert_eq!(metrics.read(histogram), Err(Status::BadArgument));
        assert_eq!(metrics.get("h"), Some(&MetricValue::Histogram(vec![12])));
        assert_eq!(metrics.define(3, b"x".to_vec()), Err(Status::BadArgument));
        for id in [0, 1, 3, counter | 3, histogram + 4, u32::MAX] {
            assert_eq!(metrics.read(id), Err(Status::NotFound), "id {id}");
        }
    }
}
