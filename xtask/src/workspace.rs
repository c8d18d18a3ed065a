//! Where things are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The top of the work tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Where cargo puts what it builds natively.
pub(crate) fn target() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root().join(dir),
        None => root().join("target"),
    }
}

/// Where the wasm builds go. A folder of their own, so that they neither wait for a native build nor share its files with what may be
/// another compiler.
pub(crate) fn wasm_target() -> PathBuf {
    target().join("ui")
}

/// The debug binary named `name` in the native target folder.
pub(crate) fn debug_binary(name: &str) -> PathBuf {
    target().join("debug").join(format!("{name}{}", env::consts::EXE_SUFFIX))
}

/// The first executable of that name on the search path.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    let extensions: &[&str] = if cfg!(windows) { &[".exe", ".cmd", ""] } else { &[""] };
    env::split_paths(&env::var_os("PATH").unwrap_or_default())
        .flat_map(|dir| extensions.iter().map(move |extension| dir.join(format!("{name}{extension}"))))
        .find(|path| path.is_file())
}

/// Compiler flags that keep the folders of whoever builds out of what is built.
pub(crate) fn neutral_paths() -> Vec<OsString> {
    let cargo = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(env::home_dir()?.join(".cargo")));
    let registry = cargo.map(|cargo| cargo.join("registry").join("src"));
    [(registry.as_deref(), "crates"), (Some(root()), "callbox")]
        .into_iter()
        .filter_map(|(folder, name)| {
            let mut flag = OsString::from("--remap-path-prefix=");
            flag.push(folder?);
            flag.push("=");
            flag.push(name);
            Some(flag)
        })
        .collect()
}

/// The oldest compiler that the workspace accepts, as in Cargo.toml.
pub(crate) fn minimum_rust() -> (u32, u32) {
    version(env!("CARGO_PKG_RUST_VERSION")).unwrap_or((0, 0))
}

/// Major and minor of a version such as `1.96.0`.
pub(crate) fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_its_first_two_numbers() {
        assert_eq!(version("1.96.0"), Some((1, 96)), "patch is ignored");
        assert_eq!(version("1.95\n"), Some((1, 95)), "space is ignored");
        assert_eq!(version("stable"), None, "a name is no version");
        assert!(minimum_rust() >= (1, 95), "the workspace states its minimum");
    }
}
