//! Generates the shell's context, and the permission of every command from the one list of commands.

use std::{fs, io, path::Path};

/// What the window says where the front end was never built.
const NO_FRONT_END: &str = "<!doctype html><meta charset=\"utf-8\"><title>Callbox</title>
<p>This build of Callbox has no front end. <code>cargo xtask run</code> builds it and starts the app.</p>
";

fn main() {
    if let Err(error) = stand_in() {
        println!("cargo::error=ui/dist cannot be written: {error}");
    }
    let attributes = tauri_build::Attributes::new()
        .app_manifest(tauri_build::AppManifest::new().commands(callbox_ipc::COMMANDS))
        .capabilities_path_pattern("./src-tauri/capabilities/**/*.json");
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}

/// The shell embeds `ui/dist`, which is made by `cargo xtask ui` and not kept in the repository. Without it a plain `cargo build` or an editor
/// could not even check the code, so a page that says so stands in for it until it is there.
fn stand_in() -> io::Result<()> {
    let dist = Path::new("ui/dist");
    if dist.exists() {
        return Ok(());
    }
    fs::create_dir_all(dist)?;
    fs::write(dist.join("index.html"), NO_FRONT_END)
}
