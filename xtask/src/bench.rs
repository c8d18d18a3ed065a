//! How fast the fold is: beside the SDK's own reader in Node and beside bare parsing, on the same bytes in one run.

mod recordings;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use crate::process::Cmd;
use crate::setup::npm;
use crate::{agent, workspace};

/// How many times as fast as the SDK's reader the fold has to be …
const FASTER: f64 = 10.0;
/// … and how many times the time of bare parsing it may take.
const SLOWER: f64 = 1.5;
/// How much more a delta may cost at the end of a long answer, or behind a long history, than in a short one.
const GROWTH: f64 = 2.0;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail when a ratio is not what it has to be.
    #[arg(long)]
    check: bool,
    /// Recordings to measure beside those of the tests and the generated ones.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// One recording by the fold's benchmark; nanoseconds.
#[derive(Deserialize)]
struct Folded {
    file: String,
    frames: u64,
    bytes: u64,
    fold: f64,
    parse: f64,
    parse_outer: f64,
    messages: Vec<Value>,
}

/// What a delta costs; nanoseconds.
#[derive(Deserialize)]
struct Growth {
    deltas: u64,
    history: u64,
    per_delta: f64,
}

/// The same by the SDK's reader.
#[derive(Deserialize)]
struct Read {
    file: String,
    read: f64,
    messages: Vec<Value>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    npm::ensure(&agent::folder(), "the SDK's own reader, to be measured beside ours")?;
    let folder = workspace::target().join("bench");
    fs::create_dir_all(&folder)?;
    let mut files = recordings::generate(&folder)?;
    files.extend(recordings::recorded());
    files.extend(options.files.iter().cloned());
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();

    let bench = ["bench", "--quiet", "--package", "callbox-protocol", "--bench", "fold", "--", "--growth"];
    let folded = Cmd::cargo().args(bench).args(&names).output()?;
    let reader = agent::folder().join("scripts").join("read.mjs");
    let read = Cmd::new("node").arg(reader).args(&names).dir(agent::folder()).output()?;

    let (mut rows, mut growth) = (Vec::new(), Vec::new());
    for line in folded.lines().filter(|line| line.starts_with('{')) {
        match serde_json::from_str::<Folded>(line) {
            Ok(row) => rows.push(row),
            Err(_) => growth.push(serde_json::from_str::<Growth>(line)?),
        }
    }
    let parse = |line: &str| serde_json::from_str(line).map(|read: Read| (read.file.clone(), read));
    let read: BTreeMap<String, Read> = read.lines().map(parse).collect::<Result<_, _>>()?;

    let mut broken = Vec::new();
    println!(
        "\n{:<28} {:>7} {:>9} {:>10} {:>12} {:>12} {:>12}",
        "recording", "frames", "kB", "fold MB/s", "reader/fold", "fold/parse", "fold/outer"
    );
    for row in &rows {
        let reader = read.get(&row.file).with_context(|| format!("the reader said nothing of {}", row.file))?;
        same(row, reader)?;
        let (faster, slower) = (reader.read / row.fold, row.fold / row.parse);
        let name = PathBuf::from(&row.file).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        println!(
            "{name:<28} {:>7} {:>9.1} {:>10.0} {faster:>11.1}x {slower:>11.2}x {:>11.2}x",
            row.frames,
            row.bytes as f64 / 1e3,
            row.bytes as f64 * 1e3 / row.fold,
            row.fold / row.parse_outer,
        );
        if faster < FASTER || slower > SLOWER {
            broken.push(name);
        }
    }
    println!("\n{:>8} {:>9} {:>14}", "deltas", "history", "ns per delta");
    for row in &growth {
        println!("{:>8} {:>9} {:>14.0}", row.deltas, row.history, row.per_delta);
    }
    let costs = || growth.iter().map(|row| row.per_delta);
    let least = costs().fold(f64::INFINITY, f64::min);
    if costs().any(|cost| cost > least * GROWTH) {
        broken.push("growth".to_owned());
    }
    println!(
        "\nreader/fold: the time of the SDK's own reader (JSON.parse and readUIMessageStream in Node) over ours; to be at least {FASTER}."
    );
    println!(
        "fold/parse: our time over that of serde_json for the frames and the chunks in them; to be at most {SLOWER}. fold/outer: for the frames alone."
    );
    if !broken.is_empty() {
        println!("Not as it has to be: {}.", broken.join(", "));
        if options.check {
            bail!("{} measurements are not as they have to be", broken.len());
        }
    }
    Ok(())
}

/// Both must have done the same work, or the times mean nothing: what the answers say, message by message.
fn same(row: &Folded, reader: &Read) -> Result<()> {
    let ours = said(&row.messages);
    for (id, theirs) in said(&reader.messages) {
        let ours = ours.get(&id).map(String::as_str).unwrap_or_default();
        ensure!(ours == theirs, "{}: message {id} is another one to the SDK's reader:\n{theirs}\n{ours}", row.file);
    }
    Ok(())
}

/// Texts, and states and results of tools.
fn said(messages: &[Value]) -> BTreeMap<String, String> {
    let part = |part: &Value| {
        let member = |name: &str| part.get(name).map(Value::to_string).unwrap_or_default();
        ["type", "text", "state", "toolCallId", "input", "output"].map(member).join(" ")
    };
    let parts = |message: &Value| message["parts"].as_array().into_iter().flatten().map(part).collect::<Vec<_>>().join("\n");
    messages.iter().map(|message| (message["id"].as_str().unwrap_or_default().to_owned(), parts(message))).collect()
}
