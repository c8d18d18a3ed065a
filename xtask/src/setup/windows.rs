//! Windows: the linker comes with what rustup asks for; the web view is part of Windows 11 and a small runtime before it.

use anyhow::{Result, bail};

use super::Need;
use crate::process::Cmd;
use crate::workspace;

/// Where the installed version of the web view runtime is registered: for the machine and for the user.
const WEBVIEW_KEYS: [&str; 2] = [
    r"HKLM\SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}",
    r"HKCU\Software\Microsoft\EdgeUpdate\Clients\{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}",
];

/// Installs what is missing for `needs`.
pub(super) fn ensure(needs: &[Need]) -> Result<()> {
    if needs.contains(&Need::App) && !WEBVIEW_KEYS.iter().any(|key| Cmd::new("reg").args(["query", key, "/v", "pv"]).probe().is_some()) {
        println!("Installing the WebView2 runtime, which shows the app's window.");
        Cmd::new("winget")
            .args(["install", "--exact", "--id", "Microsoft.EdgeWebView2Runtime", "--silent", "--accept-package-agreements"])
            .run()?;
    }
    let driver = ["msedgedriver", "chromedriver"].iter().any(|name| workspace::which(name).is_some())
        || ["CHROMEWEBDRIVER", "EDGEWEBDRIVER"].iter().any(|name| std::env::var_os(name).is_some());
    if needs.contains(&Need::Browser) && !driver {
        bail!("no browser driver was found: install msedgedriver or chromedriver and put it on the search path");
    }
    Ok(())
}
