//! How fast the fold is: beside the SDK's own reader in Node and beside bare parsing, on the same bytes in one run.

mod partner;
mod recordings;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::Cmd;
use crate::setup::npm;
use crate::{agent, workspace};

use self::partner::Partner;

/// How many times as fast as the SDK's reader the fold has to be …
const FASTER: f64 = 10.0;
/// … and how many times the time of bare parsing it may take.
const SLOWER: f64 = 1.5;
/// How much more a delta may cost at the end of a long answer, or behind a long history, than in a short one.
const GROWTH: f64 = 2.0;
/// Turns of measurements for each recording.
const ROUNDS: usize = 25;

const MEANING: &str = "
reader/fold: the time of the SDK's own client (agent client, transport and the AI SDK's chat, in Node, without React) over ours; at least 10.
fold/parse: our time over that of serde_json for the frames and the chunks in them; at most 1.5. fold/outer: for the frames alone.
reader/V8, V8/fold: the same beside JSON.parse of the frames and the chunks in them, in Node.";

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Fail when a ratio is not what it has to be.
    #[arg(long)]
    check: bool,
    /// Recordings to measure beside those of the tests and the generated ones.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A recording that is loaded.
#[derive(Deserialize)]
struct Loaded {
    #[serde(default)]
    frames: u64,
    #[serde(default)]
    bytes: u64,
    messages: Vec<Value>,
}

#[derive(Deserialize)]
struct Measured {
    nanoseconds: f64,
}

/// What a delta costs.
#[derive(Deserialize)]
struct Growth {
    deltas: u64,
    history: u64,
    nanoseconds: f64,
}

/// One pass over all frames, in nanoseconds: folded, parsed with and without the chunks in them, read and parsed in Node.
struct Times {
    fold: f64,
    parse: f64,
    outer: f64,
    read: f64,
    floor: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    npm::ensure(&agent::folder(), "the SDK's own reader, to be measured beside ours")?;
    let folder = workspace::target().join("bench");
    fs::create_dir_all(&folder)?;
    let mut files = recordings::generate(&folder)?;
    for file in recordings::recorded().iter().chain(&options.files) {
        files.push(recordings::one_client(file, &folder)?);
    }
    let bench = ["bench", "--quiet", "--package", "callbox-protocol", "--bench", "fold"];
    let mut fold = Partner::start("the fold", &Cmd::cargo().args(bench))?;
    let mut reader = Partner::start("the SDK's reader", &Cmd::new("node").arg("scripts/read.mjs").dir(agent::folder()))?;

    let mut broken = Vec::new();
    println!(
        "\n{:<28} {:>7} {:>9} {:>10} {:>12} {:>12} {:>12} {:>14} {:>14}",
        "recording", "frames", "kB", "fold MB/s", "reader/fold", "fold/parse", "fold/outer", "reader/V8", "V8/fold"
    );
    for file in &files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let load = json!({"load": file});
        let (ours, theirs): (Loaded, Loaded) = (fold.ask(&load)?, reader.ask(&load)?);
        same(&name, &ours.messages, &theirs.messages)?;
        let times = Times::measure(&mut fold, &mut reader)?;
        let (faster, slower) = (times.read / times.fold, times.fold / times.parse);
        println!(
            "{name:<28} {:>7} {:>9.1} {:>10.0} {faster:>11.1}x {slower:>11.2}x {:>11.2}x {:>13.1}x {:>13.2}x",
            ours.frames,
            ours.bytes as f64 / 1e3,
            ours.bytes as f64 * 1e3 / times.fold,
            times.fold / times.outer,
            times.read / times.floor,
            times.floor / times.fold,
        );
        if faster < FASTER || slower > SLOWER {
            broken.push(name);
        }
    }
    let growth: Vec<Growth> = fold.ask(&json!({"growth": true}))?;
    println!("\n{:>8} {:>9} {:>14}", "deltas", "history", "ns per delta");
    for row in &growth {
        println!("{:>8} {:>9} {:>14.0}", row.deltas, row.history, row.nanoseconds);
    }
    let costs = || growth.iter().map(|row| row.nanoseconds);
    let least = costs().fold(f64::INFINITY, f64::min);
    if costs().any(|cost| cost > least * GROWTH) {
        broken.push("growth".to_owned());
    }
    println!("{MEANING}");
    if !broken.is_empty() {
        println!("Not as it has to be: {}.", broken.join(", "));
        if options.check {
            bail!("{} measurements are not as they have to be", broken.len());
        }
    }
    Ok(())
}

impl Times {
    /// In turns, so that whatever else the computer does befalls all of them. The least counts: what the work takes when nothing is in its way.
    fn measure(fold: &mut Partner, reader: &mut Partner) -> Result<Self> {
        let mut times = Self { fold: f64::INFINITY, parse: f64::INFINITY, outer: f64::INFINITY, read: f64::INFINITY, floor: f64::INFINITY };
        for _ in 0..ROUNDS {
            least(&mut times.fold, fold, "fold")?;
            least(&mut times.read, reader, "read")?;
            least(&mut times.parse, fold, "parse")?;
            least(&mut times.floor, reader, "parse")?;
            least(&mut times.outer, fold, "outer")?;
        }
        Ok(times)
    }
}

fn least(time: &mut f64, partner: &mut Partner, what: &str) -> Result<()> {
    let measured: Measured = partner.ask(&json!({"measure": what}))?;
    *time = time.min(measured.nanoseconds);
    Ok(())
}

/// Both must have done the same work, or the times mean nothing: the same answers, and what they say, part by part.
fn same(name: &str, ours: &[Value], theirs: &[Value]) -> Result<()> {
    let (ours, theirs) = (said(ours), said(theirs));
    ensure!(!ours.is_empty() && ours.values().all(|parts| !parts.is_empty()), "{name}: there is no answer in it");
    ensure!(ours.keys().eq(theirs.keys()), "{name}: the answers are {:?}, and {:?} to the SDK's reader", ours.keys(), theirs.keys());
    for (id, parts) in &ours {
        ensure!(
            Some(parts) == theirs.get(id),
            "{name}: answer {id} is another one to the SDK's reader:\n{parts:#?}\n{:#?}",
            theirs.get(id)
        );
    }
    Ok(())
}

/// The answers by id, and of each what the fold and the reader have in common: texts, and the states, arguments and results of tools. The fold
/// ends in the agent's form, the reader in one of its own, which differ in what is attached to a part.
fn said(messages: &[Value]) -> BTreeMap<String, Vec<Value>> {
    let part = |part: &Value| {
        let kind = part["type"].as_str()?;
        let fields: &[&str] = if kind.starts_with("tool-") {
            &["type", "toolCallId", "state", "input", "output", "errorText"]
        } else if part["text"].as_str().is_some_and(|text| !text.is_empty()) {
            &["type", "text", "state"]
        } else {
            return None;
        };
        Some(fields.iter().map(|field| part[field].clone()).collect())
    };
    let answers = messages.iter().filter(|message| message["role"] == "assistant");
    let parts = |message: &Value| message["parts"].as_array().into_iter().flatten().filter_map(part).collect();
    answers.map(|message| (message["id"].as_str().unwrap_or_default().to_owned(), parts(message))).collect()
}
