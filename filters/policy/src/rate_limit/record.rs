//! A record of shared data: the counts of a few keys, and one for keys that find no room.
//!
//! Shared data never expires, so each limit has a fixed number of records, and a key's hash names its record. All places
//! a key may have are in this one record: one read finds it, one compare-and-set gives it a place, and no two workers
//! can give it two. A key that is not there takes the place of one that is idle (a full bucket, an empty window: the
//! same as none). Where none is, it shares the record's overflow with others like it: what clients choose can
//! neither evict a live count nor start more counts than there are places. A place that is taken while the
//! overflow is in use starts with the overflow's count, so that coming out of it is no new burst.

use super::meter::{Meter, State};
use super::window::Counts;

const HEADER: usize = 8;
const KEY: usize = 8;
/// The key of a place that nobody has.
const NOBODY: [u8; KEY] = [0; KEY];
/// The largest record: a header, four windows and the overflow.
const CAPACITY: usize = HEADER + 5 * (KEY + Counts::BYTES);

/// An encoded record.
///
/// Header: kind, places, two zeros, scale (`u32`). Then for each place: key (`u64`), state; the overflow is the last.
/// Little endian.
pub(super) struct Record {
    bytes: [u8; CAPACITY],
    length: usize,
    place: usize,
    is_repaired: bool,
}

/// How a limit's records are laid out.
#[derive(Clone, Copy)]
pub(super) struct Layout<'m> {
    pub(super) meter: &'m Meter,
    /// Places besides the overflow; 0: everything is counted there, which is how a limit without keys is kept.
    pub(super) places: usize,
}

impl Layout<'_> {
    fn place_bytes(&self) -> usize {
        KEY + self.meter.state_bytes()
    }

    fn length(&self) -> usize {
        (HEADER + (self.places + 1) * self.place_bytes()).min(CAPACITY)
    }

    fn header(&self) -> [u8; HEADER] {
        let [a, b, c, d] = self.meter.scale().to_le_bytes();
        let places = u8::try_from(self.places).unwrap_or(u8::MAX);
        [self.meter.kind(), places, 0, 0, a, b, c, d]
    }
}

impl Record {
    /// A record in which nothing is counted.
    pub(super) fn fresh(layout: Layout) -> Self {
        let mut record = Self {
            bytes: [0; CAPACITY],
            length: layout.length(),
            place: layout.places,
            is_repaired: false,
        };
        record.put_header(layout);
        record
    }

    /// A record as it was read. One that nobody of this version wrote admits nothing until it has filled: whoever can
    /// spoil it gains nothing.
    pub(super) fn read(layout: Layout, bytes: &[u8], now: u64) -> Self {
        let mut record = Self::fresh(layout);
        let header = layout.header();
        let (ours, theirs) = (header.first_chunk::<4>(), bytes.first_chunk::<4>());
        if bytes.len() != record.length || ours != theirs {
            record.put_state(layout, layout.places, &layout.meter.drained(now));
            record.is_repaired = true;
            return record;
        }
        let same_scale = bytes.first_chunk::<HEADER>() == Some(&header);
        if let Some(to) = record.bytes.get_mut(..record.length) {
            to.copy_from_slice(bytes);
        }
        if !same_scale {
            record.is_repaired = true;
            record.put_header(layout);
            for place in 0..=layout.places {
                let state = layout.meter.rescaled(record.state_bytes(layout, place), now);
                record.put_state(layout, place, &state);
            }
        }
        record
    }

    /// Finds or makes the key's place; the state there, brought to `now`.
    pub(super) fn place(&mut self, layout: Layout, key: u64, now: u64) -> State {
        let key = key.to_le_bytes();
        let mut free = None;
        for place in 0..layout.places {
            let owner = self.key(layout, place);
            if owner == key {
                return self.at(layout, place, now);
            }
            if free.is_none() && (owner == NOBODY || layout.meter.is_idle(&self.state(layout, place, now), now)) {
                free = Some(place);
            }
        }
        let overflow = self.at(layout, layout.places, now);
        if let Some(place) = free {
            self.place = place;
            self.put_key(layout, place, key);
        }
        overflow
    }

    /// Whether it is to be written even if nothing is taken: it was not as it should be, and what was made of it is as
    /// of now.
    pub(super) fn is_repaired(&self) -> bool {
        self.is_repaired
    }

    fn at(&mut self, layout: Layout, place: usize, now: u64) -> State {
        self.place = place;
        self.is_repaired |= layout.meter.is_ahead(self.state_bytes(layout, place), now);
        self.state(layout, place, now)
    }

    /// The record with another state at the key's place.
    pub(super) fn with(&mut self, layout: Layout, state: &State) -> &[u8] {
        self.put_state(layout, self.place, state);
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn start(layout: Layout, place: usize) -> usize {
        HEADER + place * layout.place_bytes()
    }

    fn key(&self, layout: Layout, place: usize) -> [u8; KEY] {
        let start = Self::start(layout, place);
        let key = self.bytes.get(start..).and_then(|rest| rest.first_chunk());
        key.copied().unwrap_or(NOBODY)
    }

    fn put_key(&mut self, layout: Layout, place: usize, key: [u8; KEY]) {
        let start = Self::start(layout, place);
        if let Some(to) = self.bytes.get_mut(start..start + KEY) {
            to.copy_from_slice(&key);
        }
    }

    fn put_header(&mut self, layout: Layout) {
        if let Some(to) = self.bytes.get_mut(..HEADER) {
            to.copy_from_slice(&layout.header());
        }
    }

    fn state(&self, layout: Layout, place: usize, now: u64) -> State {
        layout.meter.decode(self.state_bytes(layout, place), now)
    }

    fn state_bytes(&self, layout: Layout, place: usize) -> &[u8] {
        let start = Self::start(layout, place) + KEY;
        let end = start + layout.meter.state_bytes();
        self.bytes.get(start..end).unwrap_or_default()
    }

    fn put_state(&mut self, layout: Layout, place: usize, state: &State) {
        let start = Self::start(layout, place) + KEY;
        let end = start + layout.meter.state_bytes();
        if let Some(to) = self.bytes.get_mut(start..end) {
            layout.meter.encode(state, to);
        }
    }
}
