//! Debian, Ubuntu and their relatives: packages by apt-get.

use anyhow::{Result, bail};

use super::{Need, as_root};
use crate::process::Cmd;
use crate::workspace;

/// Packages that are needed for one reason. A package may name others that serve as well: `a | b`; the first that the system offers is
/// installed.
struct Group {
    why: &'static str,
    packages: &'static [&'static str],
}

const APP: Group = Group {
    why: "to compile the app and link it to the system's web view",
    packages: &["build-essential", "pkg-config", "libwebkit2gtk-4.1-dev"],
};
const BROWSER: Group =
    Group { why: "a browser that tests can drive", packages: &["chromium | chromium-browser", "chromium-driver | chromium-chromedriver"] };
const VIRTUAL_DESKTOP: Group = Group {
    why: "a desktop without a screen: display, keychain, link handler, web view driver",
    packages: &[
        "xvfb",
        "xauth",
        "dbus",
        "gnome-keyring",
        "libsecret-tools",
        "xdg-utils",
        "desktop-file-utils",
        "libglib2.0-bin",
        "webkit2gtk-driver | webkitgtk-webdriver",
        "xdotool",
    ],
};
const FONTS: Group = Group {
    why: "fonts, so that screenshots show text in every script",
    packages: &["fonts-noto-core", "fonts-noto-cjk", "fonts-noto-color-emoji"],
};
const FUZZER: Group = Group { why: "a C++ compiler, for the fuzzer's engine", packages: &["build-essential"] };
const PYTHON: Group =
    Group { why: "Python with packages of its own, for an identity server that tests sign in at", packages: &["python3", "python3-venv"] };
const WASM: Group = Group {
    why: "a Rust compiler with its library sources, because rustup could not add the wasm target",
    packages: &["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "rust-web-clippy", "lld-22 | lld"],
};

/// Installs what is missing for `needs`.
pub(super) fn ensure(needs: &[Need]) -> Result<()> {
    let mut groups = Vec::new();
    for need in needs {
        match need {
            Need::App => groups.push(&APP),
            Need::Browser if browser_is_there() => {}
            Need::Browser => groups.push(&BROWSER),
            Need::Fuzzer => groups.push(&FUZZER),
            Need::Python => groups.push(&PYTHON),
            Need::VirtualDesktop => groups.extend([&VIRTUAL_DESKTOP, &FONTS]),
        }
    }
    install(&groups)
}

/// Installs the compiler that can make the wasm target's library from its sources.
pub(crate) fn wasm_fallback_packages() -> Result<()> {
    install(&[&WASM])
}

/// Hosted runners bring a browser that no package manager knows of.
fn browser_is_there() -> bool {
    let browser = ["chromium", "chromium-browser", "google-chrome"].iter().any(|name| workspace::which(name).is_some());
    browser && (workspace::which("chromedriver").is_some() || std::env::var_os("CHROMEWEBDRIVER").is_some())
}

fn install(groups: &[&Group]) -> Result<()> {
    if workspace::which("dpkg-query").is_none() {
        return other_distribution();
    }
    let installed = installed(groups);
    let missing: Vec<(&Group, Vec<&str>)> = groups
        .iter()
        .map(|group| (*group, group.packages.iter().copied().filter(|package| !satisfied(package, &installed)).collect()))
        .filter(|(_, packages): &(_, Vec<_>)| !packages.is_empty())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }

    let mut apt = Apt { updated: false };
    let wanted: Vec<&str> = missing.iter().flat_map(|(_, packages)| packages.iter().copied()).collect();
    let chosen = apt.choose(&wanted)?;
    println!("Installing system packages:");
    for (group, packages) in &missing {
        let names: Vec<&str> = packages
            .iter()
            .filter_map(|package| chosen.iter().find(|name| alternatives(package).any(|one| one == **name)))
            .copied()
            .collect();
        println!("  - {}: {}", group.why, names.join(" "));
    }
    apt.install(&chosen)
}

fn alternatives(package: &str) -> impl Iterator<Item = &str> {
    package.split('|').map(str::trim)
}

fn satisfied(package: &str, installed: &[String]) -> bool {
    alternatives(package).any(|name| installed.iter().any(|one| one == name))
}

/// The names among those of `groups` that are installed.
fn installed(groups: &[&Group]) -> Vec<String> {
    let names: Vec<&str> = groups.iter().flat_map(|group| group.packages.iter()).flat_map(|package| alternatives(package)).collect();
    // Fails as soon as one name is unknown, and still answers for the others.
    let query = Cmd::new("sh")
        .args(["-c", r#"dpkg-query --show --showformat='${Package} ${db:Status-Status}\n' "$@" 2>/dev/null; true"#, "dpkg-query"])
        .args(names);
    let answer = query.probe().unwrap_or_default();
    answer.lines().filter_map(|line| line.strip_suffix(" installed")).map(str::to_owned).collect()
}

struct Apt {
    updated: bool,
}

impl Apt {
    /// Of each package the alternative that the system offers.
    fn choose<'a>(&mut self, packages: &[&'a str]) -> Result<Vec<&'a str>> {
        packages
            .iter()
            .map(|package| {
                if let Some(name) = offered(package) {
                    return Ok(name);
                }
                self.update()?;
                match offered(package) {
                    Some(name) => Ok(name),
                    None => bail!("this system offers no package {}; install what it stands for by hand", package.replace('|', "or")),
                }
            })
            .collect()
    }

    fn install(&mut self, packages: &[&str]) -> Result<()> {
        let install = as_root("apt-get")?.args(["install", "-y", "--no-install-recommends"]).args(packages);
        match install.run() {
            // Lists that are older than the mirror's files lead to packages that are gone.
            Err(_) if !self.updated => {
                self.update()?;
                install.run()
            }
            outcome => outcome,
        }
    }

    fn update(&mut self) -> Result<()> {
        if self.updated {
            return Ok(());
        }
        self.updated = true;
        println!("Refreshing the lists of system packages.");
        as_root("apt-get")?.args(["update", "-q"]).run()
    }
}

fn offered(package: &str) -> Option<&str> {
    alternatives(package).find(|name| {
        Cmd::new("apt-cache")
            .env("LC_ALL", "C")
            .args(["policy", name])
            .probe()
            .is_some_and(|answer| answer.lines().any(|line| line.trim_start().starts_with("Candidate:") && !line.ends_with("(none)")))
    })
}

/// Without apt the needed libraries can only be looked for.
fn other_distribution() -> Result<()> {
    if Cmd::new("pkg-config").args(["--exists", "webkit2gtk-4.1"]).probe().is_some() {
        return Ok(());
    }
    bail!(
        "this system has no apt-get. Install the packages that correspond to these and run this again:\n    {}",
        [APP, BROWSER, VIRTUAL_DESKTOP, FONTS].iter().flat_map(|group| group.packages).copied().collect::<Vec<_>>().join("\n    ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alternative_is_enough() {
        let installed = vec!["chromium-browser".to_owned()];
        assert!(satisfied("chromium | chromium-browser", &installed), "the second serves as well");
        assert!(!satisfied("chromium-driver | chromium-chromedriver", &installed), "neither is there");
        assert!(!satisfied("chromium", &installed), "a longer name is another package");
    }
}
