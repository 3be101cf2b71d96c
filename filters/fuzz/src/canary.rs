//! Requests against the canary: the number that it writes selects one of the route's own targets.

use ferromesh_policy::canary::PICK_HEADER;
use ferromesh_policy::mesh::{Features, RouteConfig};

use crate::play::{number, Play};

/// One input.
pub fn requests(input: &[u8]) {
    Play::new(Features::CANARY, input).anything(|filter, request| {
        let Some(number) = number(filter.writes(), PICK_HEADER) else {
            return;
        };
        // Which policy was in effect is the filter's secret when names are shared; where the request brought its
        // own under a name of its own, it is known.
        let own_name = request.route.as_ref().is_some_and(|name| name.contains('#'));
        let policy = request.policy.as_ref().filter(|_| own_name);
        let config = policy.and_then(|policy| RouteConfig::parse(&policy.0).ok());
        if let Some(canary) = config.and_then(|config| config.canary) {
            let total: u64 = canary.weights.iter().map(|weight| u64::from(*weight)).sum();
            assert!(number < total, "{number} is not below the sum of the weights, {total}");
            let mut end = 0;
            let target = canary.weights.iter().find(|weight| {
                end += u64::from(**weight);
                number < end
            });
            assert_ne!(target, Some(&0), "{number} selects a target of weight 0");
        }
    });
}
