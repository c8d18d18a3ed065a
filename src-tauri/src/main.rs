#![cfg_attr(all(not(debug_assertions), target_os = "windows"), windows_subsystem = "windows")]
//! `callbox`: no subcommand opens the window.

use std::process::ExitCode;

fn main() -> ExitCode {
    callbox_desktop::main()
}
