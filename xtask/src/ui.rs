//! The front end: the crate `callbox-ui` as WebAssembly with its page, styles and glue, ready to be embedded.
//!
//! Cargo decides whether the crate has to be compiled again. The rest is done only if its result would differ, and the folder is replaced
//! as a whole, so that an app that is being built never embeds half of it, and is not built again for nothing.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use wasm_bindgen_cli_support::Bindgen;

use crate::sizes;
use crate::toolchain::{TARGET, WasmToolchain};
use crate::workspace;

/// To be raised when the assembly below changes what it makes of the same inputs.
const ASSEMBLY: u32 = 2;

#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Options {
    /// Compile without optimisation: quicker to build, slower and larger, with names in stack traces.
    #[arg(long)]
    debug: bool,
    /// Build the page that shows every screen and card in every state, into a folder of its own.
    #[arg(long)]
    gallery: bool,
}

impl Options {
    /// What the app embeds while it is developed.
    pub(crate) fn for_run(debug: bool) -> Self {
        Self { debug, gallery: false }
    }

    fn profile(&self) -> &'static str {
        if self.debug { "dev" } else { "web" }
    }

    /// Where the result goes. The gallery never lies where the app would embed it.
    fn output(&self) -> PathBuf {
        if self.gallery { workspace::wasm_target().join("gallery") } else { workspace::root().join("ui").join("dist") }
    }
}

/// Builds the front end; the folder with the result comes back.
pub(crate) fn build(options: &Options) -> Result<PathBuf> {
    let toolchain = WasmToolchain::ensure()?;
    let mut cargo = toolchain.cargo(&["build", "--package", "callbox-ui", "--bin", "callbox-ui"]).args(["--target", TARGET]);
    cargo = cargo.args(["--profile", options.profile()]);
    if options.gallery {
        cargo = cargo.args(["--features", "gallery"]);
    }
    cargo.run()?;

    let folder = if options.debug { "debug" } else { "web" };
    let wasm = workspace::wasm_target().join(TARGET).join(folder).join("callbox-ui.wasm");
    let wasm = fs::read(&wasm).with_context(|| format!("{} cannot be read", wasm.display()))?;
    let page = Page::read(&workspace::root().join("ui"))?;

    let output = options.output();
    let stamp = workspace::wasm_target().join(if options.gallery { "gallery.stamp" } else { "dist.stamp" });
    let wanted = fingerprint(options, &wasm, &page);
    if output.join(ENTRY).is_file() && fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        println!("The front end in {} is up to date.", shown(&output));
        return Ok(output);
    }
    assemble(options, wasm, &page, &output)?;
    fs::write(&stamp, wanted)?;
    println!("The front end is in {}.", shown(&output));
    if !options.debug {
        let (files, sum) = sizes::of_folder(&output)?;
        sizes::print(&files, sum);
    }
    Ok(output)
}

/// What starts the front end. A page without it is the shell's stand-in.
const ENTRY: &str = "boot.js";

/// Whether there is a front end for the shell to embed, of whatever age.
pub(crate) fn is_built() -> bool {
    Options::default().output().join(ENTRY).is_file()
}

/// The hand-written files, by their names in the result.
#[derive(Debug, Hash)]
struct Page {
    files: Vec<(String, Vec<u8>)>,
}

impl Page {
    fn read(ui: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for name in ["index.html", ENTRY] {
            files.push((name.to_owned(), read(&ui.join(name))?));
        }
        let mut styles = Vec::new();
        for path in sorted(&ui.join("styles"))? {
            if path.extension().is_some_and(|extension| extension == "css") {
                styles
                    .extend(plain(&fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?).into_bytes());
                styles.push(b'\n');
            }
        }
        files.push(("styles.css".to_owned(), styles));
        let assets = ui.join("assets");
        if assets.is_dir() {
            for path in sorted(&assets)? {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                files.push((name, read(&path)?));
            }
        }
        Ok(Self { files })
    }
}

/// A style sheet without what is only for who writes it: comments, indentation, empty lines.
fn plain(styles: &str) -> String {
    let mut rest = styles;
    let mut kept = String::new();
    while let Some((before, comment)) = rest.split_once("/*") {
        kept.push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    kept.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn assemble(options: &Options, wasm: Vec<u8>, page: &Page, output: &Path) -> Result<()> {
    let parent = output.parent().context("the result lies in a folder")?;
    fs::create_dir_all(parent)?;
    let work = tempfile::Builder::new().prefix(".dist-").tempdir_in(parent)?;
    let new = work.path().join("new");
    fs::create_dir(&new)?;

    let mut bindgen = Bindgen::new();
    bindgen.input_bytes("callbox-ui", wasm).web(true)?.typescript(false);
    if options.debug {
        bindgen.debug(true).keep_debug(true);
    } else {
        bindgen.remove_name_section(true).remove_producers_section(true);
    }
    bindgen.generate(&new).context("the glue between the page and the wasm module could not be made")?;
    for (name, content) in &page.files {
        fs::write(new.join(name), content)?;
    }

    if output.exists() {
        fs::rename(output, work.path().join("old")).with_context(|| format!("{} cannot be replaced", output.display()))?;
    }
    fs::rename(&new, output).with_context(|| format!("{} cannot be put in place", output.display()))
}

fn fingerprint(options: &Options, wasm: &[u8], page: &Page) -> String {
    let mut hasher = DefaultHasher::new();
    (ASSEMBLY, generator_version(), options.debug, wasm, page).hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// The generator's version, as this crate pins it.
fn generator_version() -> &'static str {
    include_str!("../Cargo.toml").lines().find(|line| line.starts_with("wasm-bindgen-cli-support")).unwrap_or_default()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
}

fn shown(path: &Path) -> String {
    path.strip_prefix(workspace::root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_joined_in_the_order_of_their_names() {
        let ui = tempfile::tempdir().unwrap();
        fs::create_dir(ui.path().join("styles")).unwrap();
        for (name, content) in
            [("index.html", "<p>"), ("boot.js", ";"), ("styles/20-b.css", "b{}"), ("styles/10-a.css", "a{}"), ("styles/notes.txt", "no")]
        {
            fs::write(ui.path().join(name), content).unwrap();
        }
        let page = Page::read(ui.path()).unwrap();
        let (name, styles) = page.files.last().unwrap();
        assert_eq!((name.as_str(), styles.as_slice()), ("styles.css", &b"a{}\nb{}\n"[..]));
    }

    #[test]
    fn a_style_sheet_keeps_its_rules_and_nothing_else() {
        let written =
            "/* What\n * it is for. */\n\na {\n  color: red; /* why */\n}\n@media (x) { /**/\n  b::before { content: \"·  ·\"; }\n}\n";
        assert_eq!(plain(written), "a {\ncolor: red;\n}\n@media (x) {\nb::before { content: \"·  ·\"; }\n}");
        assert_eq!(plain("a{} /* open"), "a{}");
    }

    #[test]
    fn any_changed_input_changes_the_fingerprint() {
        let page = |text: &str| Page { files: vec![("index.html".to_owned(), text.as_bytes().to_vec())] };
        let plain = Options::default();
        let first = fingerprint(&plain, b"wasm", &page("a"));
        assert_eq!(first, fingerprint(&plain, b"wasm", &page("a")), "the same inputs give the same result");
        assert_ne!(first, fingerprint(&plain, b"wasm2", &page("a")), "the module counts");
        assert_ne!(first, fingerprint(&plain, b"wasm", &page("b")), "the page counts");
        assert_ne!(first, fingerprint(&Options { debug: true, ..plain }, b"wasm", &page("a")), "the mode counts");
    }
}
