//! What both algorithms have in common: a state that tokens are taken from and given back to.

use super::bucket::Bucket;
use super::config::{Algorithm, LimitConfig};
use super::window::{Counts, Window};

/// The settings of one limit's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meter {
    Bucket(Bucket),
    Window { window: Window, seconds: u32 },
}

/// The state of one key's count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // one at a time, on the stack
pub(super) enum State {
    /// When the bucket will be full.
    Bucket(u64),
    Window(Counts),
}

impl Meter {
    pub(super) fn new(config: &LimitConfig) -> Self {
        match config.algorithm {
            Algorithm::TokenBucket => Self::Bucket(Bucket::new(config.requests, config.window_seconds, config.depth())),
            Algorithm::SlidingWindow => Self::Window {
                window: Window::new(config.requests, config.window_seconds),
                seconds: config.window_seconds,
            },
        }
    }

    /// Marks the records of this kind.
    pub(super) fn kind(&self) -> u8 {
        match self {
            Self::Bucket(_) => 1,
            Self::Window { .. } => 2,
        }
    }

    /// The same for names.
    pub(super) fn kind_name(&self) -> &'static str {
        match self {
            Self::Bucket(_) => "bucket",
            Self::Window { .. } => "window",
        }
    }

    /// What a state means by its numbers, where that depends on the settings: the window's seconds.
    pub(super) fn scale(&self) -> u32 {
        match self {
            Self::Bucket(_) => 0,
            Self::Window { seconds, .. } => *seconds,
        }
    }

    /// Bytes of an encoded state.
    pub(super) fn state_bytes(&self) -> usize {
        match self {
            Self::Bucket(_) => 8,
            Self::Window { .. } => Counts::BYTES,
        }
    }

    /// Keys in one record: as many as keep it at about a kilobyte or less.
    pub(super) fn ways(&self) -> usize {
        match self {
            Self::Bucket(_) => 8,
            Self::Window { .. } => 4,
        }
    }

    /// A state, brought to `now`.
    pub(super) fn decode(&self, bytes: &[u8], now: u64) -> State {
        match self {
            Self::Bucket(bucket) => {
                let full_at = bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
                State::Bucket(bucket.settled(full_at, now))
            }
            Self::Window { window, .. } => {
                let mut counts = Counts::decode(bytes);
                window.advance(&mut counts, now);
                State::Window(counts)
            }
        }
    }

    /// Whether the clock has gone back since the state was written. What [`decode`](Self::decode) makes of it must be
    /// written, or it would be made anew, as of now, every time.
    pub(super) fn is_ahead(&self, bytes: &[u8], now: u64) -> bool {
        match (self, self.decode(bytes, now)) {
            (Self::Bucket(_), State::Bucket(full_at)) => bytes != full_at.to_le_bytes(),
            (Self::Window { window, .. }, _) => window.is_ahead(&Counts::decode(bytes), now),
            _ => false,
        }
    }

    pub(super) fn encode(&self, state: &State, bytes: &mut [u8]) {
        match state {
            State::Bucket(full_at) => {
                for (to, from) in bytes.iter_mut().zip(full_at.to_le_bytes()) {
                    *to = from;
                }
            }
            State::Window(counts) => counts.encode(bytes),
        }
    }

    /// A state that was counted by another scale: nobody knows when, so all of it is as of now.
    pub(super) fn rescaled(&self, bytes: &[u8], now: u64) -> State {
        match self {
            Self::Bucket(_) => self.decode(bytes, now),
            Self::Window { window, .. } => State::Window(window.counted_now(now, Counts::decode(bytes).total())),
        }
    }

    /// The state that admits nothing.
    pub(super) fn drained(&self, now: u64) -> State {
        match self {
            Self::Bucket(bucket) => State::Bucket(bucket.drained(now)),
            Self::Window { window, .. } => State::Window(window.counted_now(now, u32::MAX)),
        }
    }

    /// Whether the state is the same as none.
    pub(super) fn is_idle(&self, state: &State, now: u64) -> bool {
        match state {
            State::Bucket(full_at) => *full_at <= now,
            State::Window(counts) => counts.total() == 0,
        }
    }

    /// Requests that the state admits.
    pub(super) fn left(&self, state: &State, now: u64) -> u32 {
        match (self, state) {
            (Self::Bucket(bucket), State::Bucket(full_at)) => bucket.left(*full_at, now),
            (Self::Window { window, .. }, State::Window(counts)) => window.left(counts),
            _ => 0,
        }
    }

    pub(super) fn take(&self, state: &mut State, now: u64, requests: u32) {
        match (self, state) {
            (Self::Bucket(bucket), State::Bucket(full_at)) => *full_at = bucket.take(*full_at, now, requests),
            (_, State::Window(counts)) => counts.take(requests),
            _ => {}
        }
    }

    /// What requests are given back by: when they will have come back by themselves, or the slot they count in.
    pub(super) fn mark(&self, state: &State) -> u64 {
        match state {
            State::Bucket(full_at) => *full_at,
            State::Window(counts) => counts.newest(),
        }
    }

    /// Gives back requests that were taken and not made. Those of a bucket that would have been full since are
    /// gone: a full bucket holds no more.
    pub(super) fn give_back(&self, state: &mut State, now: u64, mark: u64, requests: u32) {
        match (self, state) {
            (Self::Bucket(bucket), State::Bucket(full_at)) if now < mark => {
                *full_at = bucket.give_back(*full_at, requests);
            }
            (_, State::Window(counts)) => counts.give_back(mark, requests),
            _ => {}
        }
    }

    /// Until when what is taken now may be used: a window's must fall into the slot it is counted in.
    pub(super) fn usable_until(&self, state: &State) -> u64 {
        match (self, state) {
            (Self::Window { window, .. }, State::Window(counts)) => window.slot_ends(counts),
            _ => u64::MAX,
        }
    }

    /// When the next request will be admitted, if none is now.
    pub(super) fn ready_at(&self, state: &State) -> u64 {
        match (self, state) {
            (Self::Bucket(bucket), State::Bucket(full_at)) => bucket.ready_at(*full_at),
            (Self::Window { window, .. }, State::Window(counts)) => window.ready_at(counts),
            _ => 0,
        }
    }

    /// When the state will be the same as none.
    pub(super) fn idle_at(&self, state: &State) -> u64 {
        match (self, state) {
            (Self::Bucket(_), State::Bucket(full_at)) => *full_at,
            (Self::Window { window, .. }, State::Window(counts)) => window.idle_at(counts),
            _ => 0,
        }
    }
}
