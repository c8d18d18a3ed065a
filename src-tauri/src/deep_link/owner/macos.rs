//! macOS goes by the bundles that it knows, and names the one that it would open.

use std::{env, path::Path};

use objc2_app_kit::NSWorkspace;
use objc2_foundation::{NSString, NSURL};

use super::Owner;

/// Asks the system.
pub(crate) fn owner() -> Owner {
    let link = NSString::from_str(&format!("{}://callback", crate::cli::SCHEME));
    let Some(link) = NSURL::URLWithString(&link) else { return Owner::Unknown };
    let Some(bundle) = NSWorkspace::sharedWorkspace().URLForApplicationToOpenURL(&link) else { return Owner::Nobody };
    let (Some(bundle), Ok(us)) = (bundle.to_file_path(), env::current_exe()) else { return Owner::Unknown };
    if is_inside(&us, &bundle) { Owner::Us } else { Owner::Other(bundle) }
}

/// Whether a program is the bundle's, whatever links lead to either of them.
fn is_inside(program: &Path, bundle: &Path) -> bool {
    match (program.canonicalize(), bundle.canonicalize()) {
        (Ok(program), Ok(bundle)) => program.starts_with(bundle),
        _ => false,
    }
}
