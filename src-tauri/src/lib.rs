//! The desktop shell: it ties the core to one window, to the system's browser, keychain and links. Glue only.

mod cli;
mod commands;
mod core;
mod deep_link;
mod folders;
mod handover;
mod headless;
mod letterbox;
mod settings;
mod window;

use std::{process::ExitCode, sync::Arc};

use clap::Parser as _;
use tauri::{App, AppHandle, Manager, RunEvent};
use tauri_plugin_opener::OpenerExt;

use crate::{
    cli::Args,
    core::{Core, Start, Surroundings},
    folders::Folders,
    settings::Settings,
};

/// The name of this app towards the system: bundle identifier, keychain service, bus name.
const IDENTIFIER: &str = "dev.callbox.desktop";

/// Runs the app until its window is closed, or one command without a window. The exit code is 0, or 1 if it could not start, or 2 if the
/// command line is wrong; a command has others, which its help tells.
#[must_use]
pub fn main() -> ExitCode {
    start_logging();
    if !callbox_vault::forbid_core_dumps() && cfg!(unix) {
        tracing::warn!("the system does not let core dumps be turned off");
    }
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // To stdout for --help and --version, to stderr for mistakes; a closed pipe is no reason to complain.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    if let Some(command) = args.command {
        return headless::run(command);
    }
    let Some(args) = hand_over(args) else { return ExitCode::SUCCESS };
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("Callbox needs a display, and neither WAYLAND_DISPLAY nor DISPLAY is set. Start it from a desktop session.")]
    NoDisplay,
    #[error("Callbox does not know where to keep its files. Set HOME to your home folder, then start again.")]
    Homeless,
    #[error("Callbox could not start: {0}")]
    Tauri(#[from] tauri::Error),
    #[error("Another Callbox is running and does not answer ({0}). End it, then start again.")]
    Handover(#[from] handover::HandoverError),
    #[error("Callbox could not start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// A person who starts a program from a terminal looks for the reason there.
#[expect(clippy::print_stderr, reason = "the last words of a program that has no window")]
fn complain(error: &StartError) {
    eprintln!("{error}");
}

fn start_logging() {
    use tracing_subscriber::EnvFilter;

    let filter = EnvFilter::try_from_env("CALLBOX_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    // Fails only if a subscriber is there already, which then does the same.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Hands links to the sign-ins in terminals that wait for them. `None`: links were all that this process was started for, and they are gone.
fn hand_over(mut args: Args) -> Option<Args> {
    let before = args.links.len();
    args.links.retain(|link| cli::links([link.as_str()]).is_empty() || !letterbox::hand_over(link));
    let is_done = before > 0 && args.links.is_empty();
    (!is_done).then_some(args)
}

fn run(args: Args) -> Result<(), StartError> {
    if cfg!(target_os = "linux") && std::env::var_os("WAYLAND_DISPLAY").is_none() && std::env::var_os("DISPLAY").is_none() {
        return Err(StartError::NoDisplay);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("core").build()?;
    tauri::async_runtime::set(runtime.handle().clone());

    match build(args) {
        Ok(app) => app.run(on_event),
        Err(tauri::Error::PluginInitialization(plugin, why)) if plugin == "single-instance" => return Err(handover::again(&why).into()),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

fn build(args: Args) -> tauri::Result<App> {
    tauri::Builder::default()
        // First, so that a second process ends before it does anything else.
        .plugin(tauri_plugin_single_instance::init(|app, argv, _folder| second_instance(app, &argv)))
        .plugin(tauri_plugin_deep_link::init())
        .plugin(tauri_plugin_opener::Builder::new().open_js_links_on_click(false).build())
        .invoke_handler(commands::registry())
        .setup(move |app| {
            // An error that is returned from here would become a panic.
            if let Err(error) = set_up(app, &args) {
                complain(&error);
                app.handle().exit(1);
            }
            Ok(())
        })
        .build(tauri::generate_context!())
}

fn set_up(app: &App, args: &Args) -> Result<(), StartError> {
    let handle = app.handle().clone();
    let Folders { config, data } = Folders::find().ok_or(StartError::Homeless)?;
    let settings = Settings::load(&Settings::file(&config));
    let theme = settings.preferences.theme;
    let surroundings = Surroundings {
        data,
        config,
        settings,
        dress: {
            let handle = handle.clone();
            Arc::new(move |theme| window::dress(&handle, theme))
        },
        vault: callbox_vault::Vault::system(IDENTIFIER),
        browser: {
            let handle = handle.clone();
            Arc::new(move |url| handle.opener().open_url(url.as_str(), None::<&str>).map_err(|error| error.to_string()))
        },
        scheme: {
            let handle = handle.clone();
            Arc::new(move || deep_link::stranger(&handle))
        },
        summon: {
            let handle = handle.clone();
            Arc::new(move || window::summon(&handle))
        },
    };
    let core = tauri::async_runtime::block_on(async { Core::spawn(surroundings, start(args)) });
    app.manage(core);
    window::open(app, theme)?;
    deep_link::register_in_background(&handle);
    for link in cli::links(args.links.iter().map(String::as_str)) {
        deliver(&handle, link);
    }
    Ok(())
}

/// macOS hands links over as events of the running app; the other systems start a second process.
#[cfg(target_os = "macos")]
fn on_event(app: &AppHandle, event: RunEvent) {
    if let RunEvent::Opened { urls } = event {
        for link in cli::links(urls.iter().map(tauri::Url::as_str)) {
            deliver(app, link);
        }
    }
}

#[cfg(not(target_os = "macos"))]
fn on_event(_app: &AppHandle, _event: RunEvent) {}

fn start(args: &Args) -> Start {
    if args.sandbox {
        Start::Sandbox { port: args.sandbox_port, agent: args.agent.clone() }
    } else if let Some(profile) = &args.profile {
        Start::Profile(profile.clone())
    } else {
        Start::Remembered
    }
}

/// The system started a second process to hand us a link, or the user clicked the icon again.
fn second_instance(app: &AppHandle, argv: &[String]) {
    let links = cli::links(argv.iter().map(String::as_str));
    if links.is_empty() {
        window::summon(app);
    }
    for link in links {
        deliver(app, link);
    }
}

fn deliver(app: &AppHandle, link: String) {
    let core = app.state::<Core>().inner().clone();
    tauri::async_runtime::spawn(async move { core.deliver(link).await });
}
