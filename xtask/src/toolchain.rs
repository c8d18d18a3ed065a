//! The compiler for the front end.
//!
//! Ordinarily the user's own, with the wasm target added by rustup. Where rustup cannot add it (no rustup, or none of its servers in
//! reach) and the system is a Debian, the system's compiler is used for the front end alone: its library sources are compiled for wasm once,
//! into a folder under target/, and native code stays with the user's compiler.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::process::Cmd;
use crate::workspace;

/// The target that the front end is compiled for.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Set to `system` to use the system's compiler even where the user's own has the target.
const CHOICE: &str = "CALLBOX_WASM_TOOLCHAIN";

/// A compiler that has the wasm target.
#[derive(Debug, Clone)]
pub(crate) struct WasmToolchain {
    cargo: PathBuf,
    rustc: PathBuf,
    /// Where the target's library is, if not where the compiler looks by itself.
    sysroot: Option<PathBuf>,
}

impl WasmToolchain {
    /// The compiler to use, with everything installed that it needs.
    pub(crate) fn ensure() -> Result<Self> {
        let own = Self::own();
        let forced = env::var_os(CHOICE).is_some_and(|choice| choice == "system");
        if !forced && own.has_target() {
            return Ok(own);
        }
        let system = Self::system();
        if let Some(ready) = system.as_ref().filter(|system| system.sysroot_is_ready()) {
            return Ok(ready.clone());
        }
        if !forced && own.add_target() {
            return Ok(own);
        }
        if !cfg!(target_os = "linux") {
            bail!("the Rust target {TARGET} is missing, and rustup could not add it: see what it said above, then run this again");
        }
        println!("Making the Rust target {TARGET} from the system's compiler and its library sources, once.");
        #[cfg(target_os = "linux")]
        crate::setup::wasm_fallback_packages()?;
        let system = Self::system().context("the system's Rust compiler was not found after it was installed")?;
        system.build_sysroot()?;
        Ok(system)
    }

    /// Cargo for a wasm build. Its target folder is always [`workspace::wasm_target`].
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Cmd {
        self.with_env(Cmd::new(&self.cargo)).args(arguments)
    }

    /// Clippy for a wasm build.
    pub(crate) fn clippy(&self, arguments: &[&str]) -> Cmd {
        if self.sysroot.is_none() {
            return self.cargo(&["clippy"]).args(arguments);
        }
        // `cargo clippy` would look in the user's own cargo folder first and find rustup's, which belongs to another compiler.
        self.with_env(Cmd::new(self.cargo.with_file_name("cargo-clippy"))).env("CARGO", &self.cargo).arg("clippy").args(arguments)
    }

    /// The compiler's version, for people and for telling builds apart.
    pub(crate) fn describe(&self) -> String {
        Cmd::new(&self.rustc).arg("--version").probe().unwrap_or_default().trim().to_owned()
    }

    fn own() -> Self {
        let cargo = PathBuf::from(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        let beside = cargo.with_file_name(format!("rustc{}", env::consts::EXE_SUFFIX));
        let rustc = if beside.is_file() { beside } else { "rustc".into() };
        Self { cargo, rustc, sysroot: None }
    }

    fn has_target(&self) -> bool {
        let folder = Cmd::new(&self.rustc).args(["--print", "target-libdir", "--target", TARGET]).probe();
        folder.is_some_and(|folder| has_std(Path::new(folder.trim())))
    }

    fn add_target(&self) -> bool {
        if workspace::which("rustup").is_none() {
            return false;
        }
        println!("Adding the Rust target {TARGET}: the front end is compiled to it.");
        let mut rustup = Cmd::new("rustup").args(["target", "add", TARGET]);
        if let Some(toolchain) = env::var_os("RUSTUP_TOOLCHAIN") {
            rustup = rustup.arg("--toolchain").arg(toolchain);
        }
        rustup.run().is_ok() && self.has_target()
    }

    /// The system's compiler with a sysroot of ours, if it is installed and new enough.
    fn system() -> Option<Self> {
        let (cargo, rustc) = (PathBuf::from("/usr/bin/cargo"), PathBuf::from("/usr/bin/rustc"));
        let answer = Cmd::new(&rustc).arg("--version").probe()?;
        let version = answer.split_whitespace().nth(1)?;
        if !cargo.is_file() || workspace::version(version)? < workspace::minimum_rust() {
            return None;
        }
        let sysroot = workspace::target().join("wasm-std").join(version);
        Some(Self { cargo, rustc, sysroot: Some(sysroot) })
    }

    fn sysroot_is_ready(&self) -> bool {
        self.sysroot.as_deref().is_some_and(|sysroot| has_std(&libraries(sysroot)))
    }

    /// Compiles the library's sources for wasm in an empty package and keeps the results.
    fn build_sysroot(&self) -> Result<()> {
        let sysroot = self.sysroot.as_deref().context("the system's compiler has no sysroot of its own")?;
        if has_std(&libraries(sysroot)) {
            return Ok(());
        }
        let parent = sysroot.parent().context("a sysroot lies in a folder")?;
        fs::create_dir_all(parent)?;
        let work = tempfile::tempdir_in(parent)?;
        let package = work.path().join("empty");
        fs::create_dir_all(package.join("src"))?;
        fs::write(package.join("Cargo.toml"), "[package]\nname = \"empty\"\nedition = \"2024\"\n[lib]\n[workspace]\n")?;
        fs::write(package.join("src").join("lib.rs"), "")?;
        Cmd::new(&self.cargo)
            .env("RUSTC", &self.rustc)
            .env("RUSTC_BOOTSTRAP", "1")
            // The front end is optimised across crates, this library included.
            .rustflags(&["-Cembed-bitcode=yes".into()])
            .args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort,proc_macro,test", "--target-dir"])
            .arg(package.join("target"))
            .dir(&package)
            .run()?;

        let finished = work.path().join("sysroot");
        let into = libraries(&finished);
        fs::create_dir_all(&into)?;
        for entry in fs::read_dir(package.join("target").join(TARGET).join("release").join("deps"))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.ends_with(".rlib") && !name.starts_with("libempty-") {
                fs::copy(&path, into.join(name))?;
            }
        }
        fs::rename(&finished, sysroot).with_context(|| format!("{} cannot be put in place", sysroot.display()))
    }

    fn with_env(&self, command: Cmd) -> Cmd {
        // Leptos then compiles one view for all components instead of one for each nesting of them: a tenth smaller, and sooner done.
        let mut flags = vec![OsString::from("--cfg=erase_components")];
        flags.extend(workspace::neutral_paths());
        if let Some(sysroot) = &self.sysroot {
            let mut flag = OsString::from("--sysroot=");
            flag.push(sysroot);
            flags.push(flag);
        }
        // As a target is named, build scripts and procedural macros are compiled without these.
        let command = command.env("CARGO_TARGET_DIR", workspace::wasm_target()).rustflags(&flags);
        if self.sysroot.is_some() { command.env("RUSTC", &self.rustc).env_remove("RUSTUP_TOOLCHAIN") } else { command }
    }
}

fn libraries(sysroot: &Path) -> PathBuf {
    sysroot.join("lib").join("rustlib").join(TARGET).join("lib")
}

fn has_std(folder: &Path) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}
