//! Starting, pausing and resuming a ramp: changes of the stored policy, so that every proxy does the same.

use ferromesh_policy::canary::Pause;

use super::Policy;

/// What is to become of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RampTurn {
    /// It begins now, from its first step.
    Start,
    /// It stands still from now on.
    Pause,
    /// It goes on from where it stood still.
    Resume,
}

impl RampTurn {
    /// Every turn.
    pub const ALL: [Self; 3] = [Self::Start, Self::Pause, Self::Resume];

    /// Its word in paths and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Pause => "pause",
            Self::Resume => "resume",
        }
    }

    /// The turn with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|turn| turn.as_str() == word)
    }
}

/// Why a ramp cannot be turned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TurnRefused {
    /// The policy has no ramp.
    NoRamp,
    /// The ramp is not in a state for it; the text says in which.
    NotNow(&'static str),
}

impl Policy {
    /// Turns the policy's ramp at `now`, in milliseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// There is no ramp, or it is not in a state for this.
    pub fn turn_ramp(&mut self, turn: RampTurn, now: u64) -> Result<(), TurnRefused> {
        let canary = self.spec.canary.as_mut();
        let ramp = canary.and_then(|canary| canary.ramp.as_mut());
        let ramp = ramp.ok_or(TurnRefused::NoRamp)?;
        let open = ramp.pauses.last_mut().filter(|pause| pause.until_unix_millis.is_none());
        match (turn, open) {
            (RampTurn::Start, _) => {
                ramp.start_unix_millis = now;
                ramp.pauses.clear();
            }
            (RampTurn::Pause, Some(_)) => return Err(TurnRefused::NotNow("it is paused already")),
            (RampTurn::Pause, None) => {
                if now < ramp.start_unix_millis {
                    return Err(TurnRefused::NotNow("it has not begun"));
                }
                // A pause begins no earlier than the one before ended, whatever the clock has done since.
                let ended = ramp.pauses.last().and_then(|pause| pause.until_unix_millis);
                ramp.pauses.push(Pause {
                    from_unix_millis: now.max(ended.unwrap_or_default()),
                    until_unix_millis: None,
                });
            }
            (RampTurn::Resume, None) => return Err(TurnRefused::NotNow("it is not paused")),
            (RampTurn::Resume, Some(pause)) => {
                pause.until_unix_millis = Some(now.max(pause.from_unix_millis.saturating_add(1)));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy() -> Policy {
        let ramp = json!({"startUnixMillis": 100, "steps": [{"afterSeconds": 0, "weights": [1, 1]}]});
        let policy = json!({"name": "p", "mesh": "m", "target": {"mesh": {}}, "spec": {"canary": {"ramp": ramp}}});
        serde_json::from_value(policy).expect("a policy")
    }

    fn state(policy: &Policy) -> (u64, Vec<(u64, Option<u64>)>) {
        let ramp = policy.spec.canary.as_ref().and_then(|canary| canary.ramp.as_ref());
        let ramp = ramp.expect("a ramp");
        let pauses = ramp.pauses.iter();
        let pauses = pauses.map(|pause| (pause.from_unix_millis, pause.until_unix_millis));
        (ramp.start_unix_millis, pauses.collect())
    }

    #[test]
    fn pauses_resumes_and_starts_anew() {
        let mut policy = policy();
        assert_eq!(policy.turn_ramp(RampTurn::Pause, 200), Ok(()));
        assert_eq!(state(&policy), (100, vec![(200, None)]));
        assert_eq!(policy.turn_ramp(RampTurn::Resume, 300), Ok(()));
        assert_eq!(state(&policy), (100, vec![(200, Some(300))]));
        assert_eq!(policy.turn_ramp(RampTurn::Pause, 400), Ok(()));
        assert_eq!(policy.turn_ramp(RampTurn::Start, 500), Ok(()));
        assert_eq!(state(&policy), (500, vec![]));
    }

    #[test]
    fn a_clock_that_went_back_leaves_the_pauses_in_order() {
        let mut policy = policy();
        for (turn, now) in [(RampTurn::Pause, 300), (RampTurn::Resume, 200), (RampTurn::Pause, 250)] {
            assert_eq!(policy.turn_ramp(turn, now), Ok(()));
        }
        assert_eq!(state(&policy), (100, vec![(300, Some(301)), (301, None)]));
        assert!(super::super::check(&json!(policy)).is_empty());
    }

    #[test]
    fn refuses_what_makes_no_sense_now() {
        let mut policy = policy();
        let refused = |policy: &mut Policy, turn, now| policy.turn_ramp(turn, now).unwrap_err();
        let text = |refused| match refused {
            TurnRefused::NotNow(text) => text,
            TurnRefused::NoRamp => "none",
        };
        assert_eq!(text(refused(&mut policy, RampTurn::Resume, 200)), "it is not paused");
        assert_eq!(text(refused(&mut policy, RampTurn::Pause, 50)), "it has not begun");
        policy.turn_ramp(RampTurn::Pause, 200).expect("a pause");
        assert_eq!(text(refused(&mut policy, RampTurn::Pause, 300)), "it is paused already");
        policy.spec.canary = None;
        assert_eq!(text(refused(&mut policy, RampTurn::Start, 300)), "none");
    }
}
