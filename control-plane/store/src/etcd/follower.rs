//! Keeps the copy in step with etcd: connects, reads everything once, follows the watch, and does so again with the next
//! member when something breaks.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use super::connection::Connection;
use super::disk::Disk;
use super::mirror::{Mirror, LAST};
use super::{wire, Lost, Shared};
use crate::StoreError;

/// Values that are asked for at once.
const PAGE: i64 = 1000;
/// How often a connection that says nothing is asked for a read that needs the leader.
const CHECK_EVERY: Duration = Duration::from_secs(5);
/// Waits between two rounds over the members.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// Whether a store in which a restore was begun can be opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Restoring {
    /// No: its values are not whole.
    Refused,
    /// Yes, to restore it again.
    Taken,
}

/// Why following ended.
enum Ended {
    /// Something is wrong with the member or the way to it.
    Broken(String),
    /// Everything must be read anew, from the same member.
    Reload,
}

/// Starts the follower on a thread of its own. It ends when `end` is cancelled.
pub fn start(
    shared: Arc<Shared>,
    disk: Option<Disk>,
    restoring: Restoring,
    end: CancellationToken,
) -> Result<tokio::runtime::Handle, StoreError> {
    let failed = |error: std::io::Error| StoreError::Engine(Box::new(error));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    let handle = runtime.handle().clone();
    let follower = Follower {
        shared,
        disk,
        restoring,
        must_load: false,
    };
    std::thread::Builder::new()
        .name("etcd".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = follower.run() => {}
                    () = end.cancelled() => {}
                }
            });
        })
        .map_err(failed)?;
    Ok(handle)
}

struct Follower {
    shared: Arc<Shared>,
    disk: Option<Disk>,
    restoring: Restoring,
    /// What was seen cannot be continued.
    must_load: bool,
}

impl Follower {
    async fn run(mut self) {
        let members = self.shared.options.members.clone();
        let mut next = 0;
        let mut failed = 0;
        loop {
            let Some(member) = members.get(next % members.len().max(1)) else {
                return;
            };
            let opened = Connection::open(member, &self.shared.credentials).await;
            let mut was_on = false;
            let ended = match opened {
                Ok(connection) => {
                    let ended = self.follow(&connection).await;
                    was_on = self.shared.lock().connection.take().is_some();
                    ended
                }
                Err(reason) => Ended::Broken(reason),
            };
            match ended {
                Ended::Reload => self.must_load = true,
                // It worked until now: the next attempt tells whether etcd is away.
                Ended::Broken(reason) if was_on => {
                    (next, failed) = (next + 1, 0);
                    self.lose(reason, false);
                    tokio::time::sleep(PAUSES[0]).await;
                }
                Ended::Broken(reason) => {
                    next += 1;
                    failed += 1;
                    let round_is_over = failed % members.len() == 0;
                    self.lose(reason, round_is_over);
                    if round_is_over {
                        let round = (failed / members.len()).saturating_sub(1);
                        tokio::time::sleep(PAUSES[round.min(PAUSES.len() - 1)]).await;
                    }
                }
            }
        }
    }

    /// Follows a member until something breaks.
    async fn follow(&mut self, connection: &Connection) -> Ended {
        match self.follow_until_broken(connection).await {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn follow_until_broken(&mut self, connection: &Connection) -> Result<std::convert::Infallible, Ended> {
        let broken = |reason: String| Ended::Broken(reason);
        let header = self.header(connection).await.map_err(broken)?;
        let known = {
            let state = self.shared.lock();
            (state.mirror.cluster, state.mirror.seen)
        };
        if self.must_load || known.0 != header.cluster || header.revision < known.1 {
            let loaded = self.load(connection).await.map_err(broken)?;
            self.take(loaded).map_err(broken)?;
            self.must_load = false;
        }
        let from = self.shared.lock().mirror.seen + 1;
        let prefix = self.shared.options.prefix.clone();
        let create = wire::WatchCreate {
            key: prefix.clone().into_bytes(),
            end: wire::end_of(prefix.as_bytes()),
            from,
        };
        let mut events = connection.watch(create).await.map_err(broken)?;
        // Before anybody is served: etcd has agreed to the watch, and has sent what was missed.
        let mut on = false;
        let mut check = tokio::time::interval(CHECK_EVERY);
        check.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        check.reset();
        let mut restoring = false;
        loop {
            tokio::select! {
                message = events.next() => {
                    let message = match message {
                        Some(Ok(message)) => message,
                        Some(Err(status)) => return Err(Ended::Broken(format!("the watch has ended: {}", status.message()))),
                        None => return Err(Ended::Broken("the watch has ended".to_owned())),
                    };
                    if message.compacted > 0 {
                        return Err(Ended::Reload);
                    }
                    if message.cancelled {
                        return Err(Ended::Broken(format!("etcd ended the watch: {}", message.reason)));
                    }
                    if message.created && !on {
                        on = true;
                        self.found(connection);
                    }
                    if message.events.is_empty() {
                        continue;
                    }
                    if restoring || self.apply(&prefix, message) == Followed::Restore {
                        // The values come piece by piece: they are read when they are whole.
                        if !restoring {
                            restoring = true;
                            self.lose("the store is being restored".to_owned(), true);
                        }
                        if !self.is_restoring(connection).await.map_err(broken)? {
                            return Err(Ended::Reload);
                        }
                    }
                }
                () = self.shared.suspicion.notified() => {
                    self.header(connection).await.map_err(broken)?;
                }
                _ = check.tick() => {
                    self.header(connection).await.map_err(broken)?;
                }
            }
        }
    }

    /// A read through the leader.
    async fn header(&self, connection: &Connection) -> Result<wire::Header, String> {
        let key = format!("{}{LAST}", self.shared.options.prefix).into_bytes();
        let request = wire::RangeRequest {
            key,
            ..wire::RangeRequest::default()
        };
        let answer = connection.range(request).await;
        let answer = answer.map_err(|error| error.text().to_owned())?;
        Ok(answer.header.unwrap_or_default())
    }

    async fn is_restoring(&self, connection: &Connection) -> Result<bool, String> {
        let key = format!("{}{}", self.shared.options.prefix, super::mirror::RESTORE).into_bytes();
        let request = wire::RangeRequest {
            key,
            ..wire::RangeRequest::default()
        };
        let answer = connection.range(request).await;
        Ok(!answer.map_err(|error| error.text().to_owned())?.values.is_empty())
    }

    /// Everything under the prefix at one revision.
    async fn load(&self, connection: &Connection) -> Result<Mirror, String> {
        let prefix = &self.shared.options.prefix;
        let mut request = wire::RangeRequest {
            key: prefix.clone().into_bytes(),
            end: wire::end_of(prefix.as_bytes()),
            limit: PAGE,
            revision: 0,
        };
        let mut values = Vec::new();
        let mut first: Option<wire::Header> = None;
        loop {
            let page = connection.range(request.clone()).await;
            let page = page.map_err(|error| error.text().to_owned())?;
            let header = first.get_or_insert_with(|| page.header.unwrap_or_default());
            request.revision = header.revision;
            if let Some(last) = page.values.last() {
                request.key = last.key.clone();
                request.key.push(0);
            }
            let is_last = !page.more || page.values.is_empty();
            values.extend(page.values);
            if is_last {
                return Mirror::load(prefix, &first.unwrap_or_default(), values);
            }
        }
    }

    /// Puts what was read in place of the copy.
    fn take(&self, loaded: Mirror) -> Result<(), String> {
        if loaded.restoring && self.restoring == Restoring::Refused {
            return Err(
                "a restore of the store is under way, or was interrupted: run `ferromesh restore` again".to_owned(),
            );
        }
        let mut state = self.shared.lock();
        let (before, now) = (state.mirror.revision(), loaded.revision());
        if state.mirror.cluster != 0 && now < before && self.restoring == Restoring::Refused {
            return Err(format!(
                "etcd is at revision {now} and was at {before} before: it is another cluster, or an older backup of it. \
                 Bring the data back with `ferromesh restore`, which lets the revisions go on"
            ));
        }
        if let Some(disk) = &self.disk {
            disk.replace(&loaded);
        }
        state.mirror = loaded;
        drop(state);
        self.advance(now);
        Ok(())
    }

    fn apply(&self, prefix: &str, message: wire::WatchResponse) -> Followed {
        let revision = message.header.map_or(0, |header| header.revision);
        let mut state = self.shared.lock();
        // The header's revision may be ahead of the events that this message has.
        let newest = message.events.iter().filter_map(|event| event.value.as_ref());
        let newest = newest.map(|pair| pair.modified).max().unwrap_or(revision);
        let Some(applied) = state.mirror.apply(prefix, newest, message.events) else {
            return Followed::Restore;
        };
        let revision = state.mirror.revision();
        if let Some(disk) = &self.disk {
            disk.apply(applied, &state.mirror);
        }
        drop(state);
        self.advance(revision);
        Followed::On
    }

    fn advance(&self, revision: crate::Revision) {
        self.shared.latest.send_if_modified(|latest| {
            let is_newer = revision > *latest;
            *latest = revision.max(*latest);
            is_newer
        });
        self.shared.changed.notify_all();
    }

    fn found(&self, connection: &Connection) {
        let mut state = self.shared.lock();
        state.connection = Some(connection.clone());
        if let Some(lost) = state.lost.take() {
            let seconds = lost.began.elapsed().as_secs_f64();
            tracing::info!(seconds, revision = state.mirror.revision(), "etcd is there");
        }
        state.failures = 0;
        drop(state);
        self.shared.changed.notify_all();
    }

    fn lose(&self, reason: String, round_is_over: bool) {
        let mut state = self.shared.lock();
        state.connection = None;
        if round_is_over {
            state.failures += 1;
            if state.failures == 1 {
                tracing::warn!(reason, "store: read-only, etcd unreachable");
            }
        }
        match &mut state.lost {
            Some(lost) => lost.reason = reason,
            none => {
                *none = Some(Lost {
                    began: Instant::now(),
                    since: SystemTime::now(),
                    reason,
                });
            }
        }
        drop(state);
        self.shared.changed.notify_all();
    }
}

#[derive(PartialEq, Eq)]
enum Followed {
    On,
    /// A restore has begun or ended.
    Restore,
}
