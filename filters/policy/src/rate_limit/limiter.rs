//! Admitting requests: from this worker's leases where it has any, else from shared data.

use std::time::Duration;

use super::config::{Key, MissingKey};
use super::lease::{Lease, Leases, HOLD, LEASE};
use super::policy::{Limit, Policy, SEED_KEY};
use super::record::{Layout, Record};
use super::shared::{Shared, SharedRead, SharedWrite, CREATE};
use super::ticks::{seconds, ticks};
use super::told::Told;
use super::verdict::{Cause, Verdict};
use super::MAX_LIMITS;
use crate::address::without_port;
use crate::sip_hash;
use crate::{Draws, Property, View};

/// Writes that others may win before a request is denied: with a handful of workers, each of which writes at
/// most once a batch, even three in a row are rare.
const TRIES: u32 = 16;

/// The key of everything under a limit that counts nothing apart.
const WHOLE: u64 = 1;

/// One worker's side of all its limits. Losing it (a VM reload) loses leases, not counts.
#[derive(Debug, Default)]
pub struct Limiter {
    leases: Leases,
    /// The key of the hash of keys: the same for all workers, from shared data.
    seed: Option<[u64; 2]>,
}

/// What one limit said to one request.
struct Standing {
    remaining: u32,
    /// When all comes back, or when the next is admitted.
    at: u64,
}

enum Refusal {
    Spent { ready_at: u64 },
    Contended,
    Unavailable,
}

impl Limiter {
    /// Decides about one request, which is counted in all of the policy's limits or in none.
    /// `now` is monotonic time, the same clock for all workers of the process.
    pub fn admit<V: View, S: Shared>(
        &mut self,
        policy: &Policy,
        view: &V,
        shared: &S,
        draws: &mut Draws,
        now: Duration,
    ) -> Verdict {
        let now = ticks(now);
        let mut keys = [None; MAX_LIMITS];
        for (index, (limit, key)) in policy.limits().iter().zip(&mut keys).enumerate() {
            match self.key(limit, view, shared, draws) {
                Ok(found) => *key = found,
                Err(cause) => return policy.denied(index, cause, None),
            }
        }
        let asked = || policy.limits().iter().zip(keys).enumerate();
        // What is known to be spent denies before anything is taken from the others.
        for (index, (limit, key)) in asked() {
            let held = key.and_then(|key| self.leases.find(limit.tag, key));
            if let Some(lease) = held.filter(|lease| lease.is_held(now)) {
                return policy.denied(index, Cause::Spent, Some(wait(lease.reset, now)));
            }
        }
        let mut least: Option<(usize, Standing)> = None;
        for (index, (limit, key)) in asked() {
            let Some(key) = key else { continue };
            match take(self.leases.entry(limit.tag, key, now), limit, key, shared, now) {
                Ok(standing) => {
                    if least
                        .as_ref()
                        .is_none_or(|(_, known)| standing.remaining < known.remaining)
                    {
                        least = Some((index, standing));
                    }
                }
                Err(refusal) => {
                    for (_, (limit, key)) in asked().take(index) {
                        let lease = key.and_then(|key| Some((key, self.leases.find(limit.tag, key)?)));
                        if let Some((key, lease)) = lease {
                            put_back(lease, limit, key, shared, now);
                        }
                    }
                    return match refusal {
                        Refusal::Spent { ready_at } => policy.denied(index, Cause::Spent, Some(wait(ready_at, now))),
                        Refusal::Contended => policy.denied(index, Cause::Contended, Some(1)),
                        Refusal::Unavailable => policy.denied(index, Cause::Unavailable, None),
                    };
                }
            }
        }
        let told = least.map(|(index, standing)| Told {
            limit: u8::try_from(index).unwrap_or(0),
            remaining: standing.remaining,
            reset_seconds: seconds(standing.at.saturating_sub(now)),
        });
        policy.admitted(told)
    }

    /// The key of a request under a limit; `None`: the limit does not count it.
    fn key<V: View, S: Shared>(
        &mut self,
        limit: &Limit,
        view: &V,
        shared: &S,
        draws: &mut Draws,
    ) -> Result<Option<u64>, Cause> {
        let value = match &limit.key {
            Key::Route(_) => return Ok(Some(WHOLE)),
            Key::Header(name) => view.request_header(name),
            Key::SourceAddress(_) => view.property(Property::SourceAddress),
            Key::Identity(_) => view.property(Property::PeerIdentity),
        };
        let value = value.as_ref().map(AsRef::as_ref).unwrap_or_default();
        let value = match &limit.key {
            Key::SourceAddress(_) => without_port(value),
            _ => value,
        };
        if value.is_empty() {
            match limit.missing {
                MissingKey::Allow => return Ok(None),
                MissingKey::Deny => return Err(Cause::MissingKey),
                MissingKey::Limit => {}
            }
        }
        let seed = self.seed(shared, draws).ok_or(Cause::Unavailable)?;
        // 0 is the key of a place that nobody has.
        Ok(Some(sip_hash::Key::of_words(seed).hash(value).max(1)))
    }

    fn seed<S: Shared>(&mut self, shared: &S, draws: &mut Draws) -> Option<[u64; 2]> {
        if self.seed.is_none() {
            self.seed = agree_on_seed(shared, draws);
        }
        self.seed
    }
}

/// The seed that the first of all workers drew.
fn agree_on_seed<S: Shared>(shared: &S, draws: &mut Draws) -> Option<[u64; 2]> {
    for _ in 0..TRIES {
        match shared.get(SEED_KEY) {
            SharedRead::Found(value, _) => {
                let bytes = <[u8; 16]>::try_from(value.as_ref()).ok()?;
                let both = u128::from_le_bytes(bytes);
                // Halves of 128 bits fit.
                let half = |bits: u128| u64::try_from(bits & u128::from(u64::MAX)).unwrap_or(0);
                return Some([half(both), half(both >> 64)]);
            }
            SharedRead::Absent => {
                let both = u128::from(draws.number()) << 64 | u128::from(draws.number());
                if shared.set(SEED_KEY, &both.to_le_bytes(), CREATE) == SharedWrite::Refused {
                    return None;
                }
            }
            SharedRead::Refused => return None,
        }
    }
    None
}

/// Takes one request's worth: from the lease, or with a new lease.
fn take<S: Shared>(lease: &mut Lease, limit: &Limit, key: u64, shared: &S, now: u64) -> Result<Standing, Refusal> {
    if lease.is_live(now) {
        lease.left -= 1;
    } else {
        renew(lease, limit, key, shared, now)?;
    }
    Ok(Standing {
        remaining: lease.rest.saturating_add(lease.left),
        at: lease.reset,
    })
}

/// Gives back what is left of the lease and takes a new one, in one write.
fn renew<S: Shared>(lease: &mut Lease, limit: &Limit, key: u64, shared: &S, now: u64) -> Result<(), Refusal> {
    let layout = limit.layout();
    let meter = layout.meter;
    let wanted = lease.wanted(now, limit.batch);
    let address = limit.address(key);
    for _ in 0..TRIES {
        let (mut record, cas) = read(shared, &address, layout, now).ok_or(Refusal::Unavailable)?;
        let mut state = record.place(layout, key, now);
        meter.give_back(&mut state, now, lease.mark, lease.left);
        let left = meter.left(&state, now);
        if left == 0 {
            if record.is_repaired() {
                // Whoever is there first repairs; others find it done or do it the next time.
                shared.set(&address, record.with(layout, &state), cas);
            }
            let ready_at = meter.ready_at(&state);
            // Where requests come faster than this, several tokens at a time are worth the wait.
            let soonest = if limit.batch > 1 {
                now.saturating_add(LEASE / 8)
            } else {
                now
            };
            lease.left = 0;
            lease.reset = ready_at;
            lease.hold = ready_at.clamp(soonest, now.saturating_add(HOLD));
            return Err(Refusal::Spent { ready_at });
        }
        // Near the end workers share what there is; after a denial it will be used up at once anyway.
        let share = if lease.hold > 0 { left } else { left / 2 };
        let taken = wanted.min(share.max(1));
        meter.take(&mut state, now, taken);
        match shared.set(&address, record.with(layout, &state), cas) {
            SharedWrite::Written => {
                lease.until = now.saturating_add(LEASE).min(meter.usable_until(&state));
                lease.hold = 0;
                lease.mark = meter.mark(&state);
                lease.reset = meter.idle_at(&state);
                lease.rest = left - taken;
                lease.left = taken - 1;
                lease.taken = taken;
                lease.want = wanted;
                return Ok(());
            }
            SharedWrite::Mismatch => {}
            SharedWrite::Refused => return Err(Refusal::Unavailable),
        }
    }
    Err(Refusal::Contended)
}

/// Undoes a [`take`]. A limit that leases one at a time is slow enough for others to need it back at once.
fn put_back<S: Shared>(lease: &mut Lease, limit: &Limit, key: u64, shared: &S, now: u64) {
    lease.left += 1;
    if limit.batch > 1 {
        return;
    }
    let layout = limit.layout();
    let address = limit.address(key);
    for _ in 0..TRIES {
        let Some((mut record, cas)) = read(shared, &address, layout, now) else {
            return;
        };
        let mut state = record.place(layout, key, now);
        layout.meter.give_back(&mut state, now, lease.mark, lease.left);
        match shared.set(&address, record.with(layout, &state), cas) {
            SharedWrite::Written => {
                lease.left = 0;
                return;
            }
            SharedWrite::Mismatch => {}
            SharedWrite::Refused => return,
        }
    }
}

fn read<S: Shared>(shared: &S, address: &[u8], layout: Layout, now: u64) -> Option<(Record, u32)> {
    match shared.get(address) {
        SharedRead::Found(value, cas) => Some((Record::read(layout, value.as_ref(), now), cas)),
        SharedRead::Absent => Some((Record::fresh(layout), CREATE)),
        SharedRead::Refused => None,
    }
}

/// Seconds to wait, at least 1: 0 would invite the request at once.
fn wait(until: u64, now: u64) -> u32 {
    seconds(until.saturating_sub(now)).max(1)
}
