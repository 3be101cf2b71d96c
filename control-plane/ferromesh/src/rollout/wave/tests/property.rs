//! Whatever happens in whatever order.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Chance from a seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % limit
    }
}

/// When each instance was reported on the last time.
#[derive(Default)]
struct Agents(BTreeMap<String, Duration>);

impl Witness for Agents {
    fn worth(&self, _: &ProxyKey, _: &str) -> u64 {
        0
    }

    fn heard(&self, _: &ProxyKey, instance: &str, _: Duration) -> Option<Heard> {
        let until = *self.0.get(instance)?;
        Some(Heard {
            until,
            stalled_at: None,
        })
    }
}

fn instance(id: u64) -> String {
    format!("i{id}")
}

/// Proxies that answer as they like, except that configurations divisible by 5 are poison, which they never take, and those
/// divisible by 7 a slow one: they take it, and only what their agents report shows what it does.
struct World {
    mesh: Mesh,
    agents: Agents,
    chance: Chance,
    now: Duration,
    /// What each stream was given last, and whether it has answered.
    streams: BTreeMap<u64, (usize, Fingerprint, bool)>,
    next_stream: u64,
    next_fingerprint: u128,
    judged: BTreeSet<Mark>,
    ended: usize,
}

const PROXIES: usize = 12;

impl World {
    fn new(seed: u64) -> Self {
        let mut world = Self {
            mesh: Mesh::new(rules(1)),
            agents: Agents::default(),
            chance: Chance(seed),
            now: Duration::ZERO,
            streams: BTreeMap::new(),
            next_stream: 0,
            next_fingerprint: 1,
            judged: BTreeSet::new(),
            ended: 0,
        };
        for number in 0..PROXIES {
            world.mesh.offer(&key(number), Fingerprint(1), false);
            for _ in 0..=world.chance.below(2) {
                world.connect(number);
            }
        }
        world
    }

    fn connect(&mut self, number: usize) {
        let id = self.next_stream;
        self.next_stream += 1;
        self.mesh.connect(self.now, id, &key(number), &instance(id));
        self.mesh.expect_reports(id);
        self.streams.insert(id, (number, Fingerprint(0), true));
        self.send(id);
    }

    /// What the stream holds, as the engine would find it.
    fn holds(&self, id: u64) -> Fingerprint {
        let of = self.mesh.key_of(id).unwrap();
        match self.mesh.holds(id).unwrap() {
            Holds::Accepted => self.mesh.accepted(of).unwrap(),
            Holds::Candidate => self.mesh.trial().unwrap().0.keys[of],
        }
    }

    fn send(&mut self, id: u64) {
        let now = self.holds(id);
        if let Some((_, before, is_answered)) = self.streams.get_mut(&id) {
            if *before != now {
                (*before, *is_answered) = (now, false);
                self.mesh.on_sent(self.now, id, LISTENER);
            }
        }
    }

    fn apply(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Holds(id) => self.send(id),
                Effect::Staged { stage, .. } => {
                    if stage == Stage::First {
                        let on_trial = &self.mesh.trial().unwrap().0.keys;
                        let mut holders = self
                            .streams
                            .keys()
                            .filter(|id| self.mesh.holds(**id) == Some(Holds::Candidate));
                        assert_eq!(holders.by_ref().count(), 1, "one stream has what is not accepted");
                        for (key, fingerprint) in on_trial {
                            let mark = Mark::of(key, *fingerprint);
                            assert!(
                                !self.judged.contains(&mark),
                                "what was rejected never comes back by itself"
                            );
                        }
                    }
                }
                Effect::Ended { candidate, end, .. } => {
                    self.ended += 1;
                    let is_slow_poison = candidate.keys.values().all(|fingerprint| fingerprint.0 % 7 == 0);
                    assert!(!is_slow_poison || end != End::Accepted, "somebody has looked");
                    if let End::Rejected(_) = end {
                        self.judged.extend(candidate.marks());
                    }
                    for (key, fingerprint) in &candidate.keys {
                        let is_accepted = self.mesh.accepted(key) == Some(*fingerprint);
                        assert!(!is_accepted || fingerprint.0 % 5 != 0, "poison is never accepted");
                    }
                }
            }
        }
    }

    /// In the first stage no stream but one holds what is not accepted, whoever comes and goes.
    fn check(&self) {
        if let Some((candidate, stage, ..)) = self.mesh.trial() {
            let is_slow_poison = candidate.keys.values().all(|fingerprint| fingerprint.0 % 7 == 0);
            if stage == Stage::First || is_slow_poison {
                let ids = self.streams.keys();
                assert!(ids.filter(|id| self.mesh.holds(**id) == Some(Holds::Candidate)).count() <= 1);
            }
        }
    }

    fn answer(&mut self, id: u64) {
        let Some((_, fingerprint, is_answered)) = self.streams.get_mut(&id) else {
            return;
        };
        if !std::mem::replace(is_answered, true) {
            let rejection = (fingerprint.0 % 5 == 0).then_some("poison");
            let effects = self.mesh.on_answer(self.now, id, LISTENER, rejection);
            self.apply(effects);
        }
    }

    /// Agents look at least every three seconds; one that sees harm in what is tried has it taken back.
    fn report(&mut self) {
        let mut is_harmed = false;
        for (id, (_, fingerprint, is_answered)) in &self.streams {
            let last = self.agents.0.get(&instance(*id)).copied();
            if last.is_none_or(|at| self.now >= at + 3 * SECOND) || self.chance.below(3) == 0 {
                self.agents.0.insert(instance(*id), self.now);
                let has_candidate = self.mesh.holds(*id) == Some(Holds::Candidate);
                is_harmed |= has_candidate && *is_answered && fingerprint.0 % 7 == 0;
            }
        }
        if is_harmed {
            let effects = self.mesh.reject("requests fail".to_owned());
            self.apply(effects);
        }
    }

    fn tick(&mut self) {
        self.report();
        let effects = self.mesh.tick(self.now, &self.agents);
        self.apply(effects);
        if let Some(candidate) = self.mesh.proposal() {
            let effects = self.mesh.start(self.now, &candidate, &|_, _| 0);
            self.apply(effects);
        }
        self.check();
    }

    fn publish(&mut self, is_good: bool) {
        self.next_fingerprint += 1;
        while is_good
            && [5, 7]
                .iter()
                .any(|poison| self.next_fingerprint.is_multiple_of(*poison))
        {
            self.next_fingerprint += 1;
        }
        for number in 0..PROXIES {
            if self.chance.below(2) == 0 || is_good {
                self.mesh.offer(&key(number), Fingerprint(self.next_fingerprint), false);
            }
        }
    }

    fn step(&mut self) {
        self.now += Duration::from_millis(100 * self.chance.below(20));
        let ids: Vec<u64> = self.streams.keys().copied().collect();
        let any = ids.get(self.chance.below(ids.len().max(1) as u64) as usize).copied();
        match (self.chance.below(10), any) {
            (0, _) => self.publish(false),
            (1, Some(id)) if ids.len() > 1 => {
                self.streams.remove(&id);
                let is_expected = self.chance.below(2) == 0;
                self.mesh.disconnect(self.now, id, is_expected);
            }
            (2, _) => {
                let number = self.chance.below(PROXIES as u64) as usize;
                self.connect(number);
            }
            (_, Some(id)) => self.answer(id),
            _ => {}
        }
        self.tick();
    }
}

#[test]
fn one_stream_at_first_poison_never_and_in_the_end_everybody_has_the_newest() {
    for seed in 0..if std::env::var_os("FERROMESH_FULL").is_some() {
        3000
    } else {
        40
    } {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.step();
        }
        assert!(world.ended > 0, "something was decided (seed {seed})");
        // A good change, and nothing more happens but answers.
        world.publish(true);
        let mut rounds = 0;
        while (0..PROXIES).any(|number| {
            let of = key(number);
            world.mesh.has_streams(&of) && world.mesh.accepted(&of) != world.mesh.newest(&of)
        }) {
            rounds += 1;
            assert!(rounds < 200, "seed {seed}: {:?}", world.mesh.trial());
            world.now += SECOND;
            let ids: Vec<u64> = world.streams.keys().copied().collect();
            for id in ids {
                world.answer(id);
            }
            world.tick();
        }
        for id in world.streams.keys() {
            assert_eq!(
                world.holds(*id),
                world.mesh.accepted(world.mesh.key_of(*id).unwrap()).unwrap()
            );
        }
    }
}
