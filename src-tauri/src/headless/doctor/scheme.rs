//! Whose the app's links are.

use super::Finding;
use crate::deep_link::Owner;

const CHECK: &str = "scheme";

/// Without a display no browser and no window are here, and nobody needs the links.
pub(super) fn judge(owner: &Owner, has_display: bool) -> Finding {
    match owner {
        Owner::Us => Finding::ok(CHECK, "The app's links lead to this program."),
        Owner::Nobody if !has_display => Finding::ok(CHECK, "The app's links lead nowhere, which is right without a display."),
        Owner::Nobody => {
            let text = "The app's links lead nowhere yet. Open the window once: it registers itself for them. Until then “callbox login” comes back by a port of this computer.";
            Finding::warning(CHECK, "scheme-unregistered", text)
        }
        Owner::Other(program) => {
            let text = format!(
                "The app's links lead to {}, and this is another program. Open the window of this one: it registers itself for them. Or sign in with “callbox login --loopback”.",
                program.display()
            );
            Finding::problem(CHECK, "scheme-elsewhere", text)
        }
        Owner::Unknown => unknown(has_display),
    }
}

#[cfg(target_os = "linux")]
fn unknown(has_display: bool) -> Finding {
    if !has_display {
        return Finding::ok(CHECK, "Where the app's links lead cannot be found out, and nobody needs them without a display.");
    }
    let text = "Where the app's links lead cannot be found out: xdg-mime is missing. Install xdg-utils, or sign in with “callbox login --loopback”.";
    Finding::warning(CHECK, "scheme-unknown", text)
}

#[cfg(not(target_os = "linux"))]
fn unknown(_: bool) -> Finding {
    let text = "Where the app's links lead cannot be found out: the system does not say. Sign in with “callbox login --loopback”.";
    Finding::warning(CHECK, "scheme-unknown", text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headless::doctor::State;

    #[test]
    fn links_that_lead_to_another_program_are_a_problem_and_it_is_named() {
        let finding = judge(&Owner::Other("/opt/evil".into()), false);
        assert!(finding.state == State::Problem && finding.text.contains("/opt/evil"), "{finding:?}");
        assert_eq!(judge(&Owner::Us, true).state, State::Ok);
        assert_eq!((judge(&Owner::Nobody, true).state, judge(&Owner::Nobody, false).state), (State::Warning, State::Ok));
        assert_eq!(judge(&Owner::Unknown, false).state, State::Ok);
    }
}
