//! For whom a connection may report.
//!
//! What a proxy reports decides over its canaries and over the rollouts that it takes part in, so the path of a report is a
//! claim like a node id, and is held to the same rule. The rule is not here: whoever accepts connections knows it.

use std::fmt;
use std::sync::Arc;

use crate::access::Channel;
use crate::request::Request;
use crate::{ApiError, ErrorKind, Reporter};

type Decide = dyn Fn(&Reporter) -> Result<(), String> + Send + Sync;

/// Decides for which proxies the other end of a connection may report. Whoever accepts connections puts it into the
/// extensions of requests.
#[derive(Clone)]
pub struct MayReport(Arc<Decide>);

impl fmt::Debug for MayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MayReport").finish_non_exhaustive()
    }
}

impl MayReport {
    /// By a rule that gives the reason why somebody may not, in words for them.
    pub fn by(decide: impl Fn(&Reporter) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }
}

/// Refuses a report for a proxy that its sender does not speak for.
pub(crate) fn admit(request: &Request, reporter: &Reporter) -> Result<(), ApiError> {
    let decided = match (&request.may_report, request.channel) {
        (Some(MayReport(decide)), _) => decide(reporter),
        // Whoever calls in process is here.
        (None, Channel::Local) => Ok(()),
        (None, Channel::Tls) => Err("it is not known whose connection this is".to_owned()),
    };
    decided.map_err(|reason| ApiError::new(ErrorKind::Forbidden, reason))
}
