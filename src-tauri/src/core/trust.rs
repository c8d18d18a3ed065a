//! Whether the agent of a profile still takes what the profile's tenant issues.

use std::time::Duration;

use callbox_identity::{Mismatch, Profile, SystemClock, compare_with_agent};
use tokio::time::timeout;

/// How long an agent may take to say which sign-ins it takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// What of the profile the agent contradicts by now; see [`compare_with_agent`]. `None` also for one that says nothing of itself, or not in time.
pub(crate) async fn mismatch(profile: &Profile) -> Option<Mismatch> {
    let http = callbox_link::http_client(&profile.agent).ok()?;
    let answer = timeout(PATIENCE, compare_with_agent(&http, &SystemClock, profile)).await.ok()?;
    answer.inspect_err(|error| tracing::debug!(%error, "the agent does not say which sign-ins it takes")).ok().flatten()
}
