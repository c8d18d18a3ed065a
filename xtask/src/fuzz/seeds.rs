//! What the fuzzer begins with: the frames, bodies and conversations of the recordings, and a dictionary of the words in them.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{LONGEST, Target};
use crate::workspace;

/// Letters of a string that may be a word of the protocol. Longer ones are contents.
const LONGEST_WORD: usize = 40;

const LINKS: [&str; 4] = [
    "dev.callbox.desktop://callback?code=abc-123&state=Sg3ERjI5ZCGa_47QEnuGyyKk2oURsbU&iss=https%3A%2F%2Ftenant.example%2F",
    "dev.callbox.desktop://callback?error=access_denied&error_description=User+did+not+authorize+the+request&state=s",
    "http://127.0.0.1:51089/callback?code=a%2Bb+c&state=s&iss=https%3A%2F%2Ftenant.example",
    " dev.callbox.desktop://callback/?state=s&code=c&scope=openid%20chat\r\n",
];
const LINK_WORDS: [&str; 10] =
    ["code=", "state=", "iss=", "error=", "error_description=", "&", "%2F", "%00", "#", "dev.callbox.desktop://callback?"];

const CHALLENGES: [&str; 5] = [
    "Bearer realm=\"OAuth\", error=\"invalid_token\", resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/x\"",
    "Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\"",
    "Negotiate YWJj==, DPoP algs=\"ES256 RS256\", error=\"use_dpop_nonce\"",
    "Cloudflare-Access resource_metadata=\"https://a.example/m\"",
    " ,, Basic , Bearer scope = \"chat email\"\t,",
];
const CHALLENGE_WORDS: [&str; 8] = ["Bearer ", "Basic", "realm=", "\"", "\\", ", ", "resource_metadata=", "=="];

/// Writes the seeds of a target into `folder` and the dictionary beside it, whose path is the answer.
pub(super) fn write(target: Target, folder: &Path) -> Result<PathBuf> {
    let mut seeds = BTreeSet::new();
    let mut words = BTreeSet::new();
    match target {
        Target::Links => texts(&LINKS, &LINK_WORDS, &mut seeds, &mut words),
        Target::Challenges => texts(&CHALLENGES, &CHALLENGE_WORDS, &mut seeds, &mut words),
        Target::Frames | Target::Chunks | Target::Fold => {
            for recording in recordings()? {
                collect(target, &recording, &mut seeds, &mut words);
            }
        }
    }
    if target == Target::Fold {
        // Decisions, for the two ways to make a conversation of them.
        let bytes = |first: u8, step: u8| std::iter::once(first).chain((0..120).map(|at: u8| at.wrapping_mul(step) >> 1)).collect();
        seeds.extend([b'#', b'!'].iter().flat_map(|first| [7, 31, 89, 151, 211].map(|step| bytes(*first, step))));
    }
    fs::remove_dir_all(folder)?;
    fs::create_dir_all(folder)?;
    for (number, seed) in seeds.iter().enumerate() {
        fs::write(folder.join(format!("{number:05}")), seed)?;
    }
    let dictionary = folder.with_extension("dict");
    fs::write(&dictionary, words.into_iter().collect::<String>())?;
    Ok(dictionary)
}

/// Seeds and words that stand here.
fn texts(texts: &[&str], spelt: &[&str], seeds: &mut BTreeSet<Vec<u8>>, words: &mut BTreeSet<String>) {
    seeds.extend(texts.iter().map(|text| text.as_bytes().to_vec()));
    words.extend(spelt.iter().map(|word| format!("\"{}\"\n", word.bytes().map(|byte| format!("\\x{byte:02X}")).collect::<String>())));
}

/// The lines of each recording.
fn recordings() -> Result<Vec<Vec<Value>>> {
    let folder = workspace::root().join("crates/protocol/tests/transcripts");
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path)?;
        text.lines().map(serde_json::from_str).collect::<Result<_, _>>().with_context(|| format!("{} is no recording", path.display()))
    };
    paths.iter().map(read).collect()
}

fn collect(target: Target, recording: &[Value], seeds: &mut BTreeSet<Vec<u8>>, words: &mut BTreeSet<String>) {
    // By socket, and the whole as if one socket were all of them: what the events mean is not the seeds' concern.
    let mut conversations = vec![Lines::default()];
    let mut chunks = Lines::default();
    chunks.add('+', "");
    for line in recording {
        let socket = line["conn"].as_u64().and_then(|socket| usize::try_from(socket).ok()).unwrap_or_default();
        if conversations.len() <= socket && socket < 100 {
            conversations.resize_with(socket + 1, Lines::default);
        }
        let mut tell = |sign: char, text: &str| {
            conversations[0].add(sign, text);
            if let Some(conversation) = conversations.get_mut(socket).filter(|_| socket > 0) {
                conversation.add(sign, text);
            }
        };
        let (raw, text) = (line["raw"].as_str().unwrap_or_default(), line["text"].as_str().unwrap_or_default());
        match line["dir"].as_str() {
            Some("in") => {
                tell('<', raw);
                let frame = serde_json::from_str::<Value>(raw).unwrap_or_default();
                spell(&frame, words);
                if let Some(body) = frame["body"].as_str().filter(|body| !body.is_empty()) {
                    spell(&serde_json::from_str(body).unwrap_or_default(), words);
                    chunks.add('*', body);
                    if target == Target::Chunks {
                        seeds.insert(body.as_bytes().to_vec());
                    }
                }
            }
            Some("out") => tell('>', raw),
            _ if text.starts_with("socket open") => tell('+', ""),
            _ if text.starts_with("socket closed") => tell('-', ""),
            _ if text.starts_with("GET get-messages") => tell('=', &line["messages"].to_string()),
            _ => {}
        }
        if target == Target::Frames && !raw.is_empty() {
            seeds.insert(raw.as_bytes().to_vec());
        }
    }
    if target == Target::Fold {
        seeds.extend(conversations.into_iter().chain([chunks]).map(|lines| lines.0.into_bytes()));
    }
}

/// A conversation as the target reads it, as long as an input may be.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, sign: char, text: &str) {
        if self.0.len() + text.len() + 2 <= LONGEST && !text.contains('\n') {
            self.0.push(sign);
            self.0.push_str(text);
            self.0.push('\n');
        }
    }
}

/// Adds the names of all fields, and the strings that are short, as the fuzzer's dictionaries have them: in quotes, once for JSON and once
/// for JSON inside a string.
fn spell(value: &Value, words: &mut BTreeSet<String>) {
    let mut word = |text: &str| {
        if (1..=LONGEST_WORD).contains(&text.len()) {
            for quote in [r#"""#, r#"\""#] {
                let mut line = "\"".to_owned();
                for byte in format!("{quote}{text}{quote}").bytes() {
                    let _ = if byte.is_ascii_alphanumeric() { write!(line, "{}", char::from(byte)) } else { write!(line, "\\x{byte:02X}") };
                }
                words.insert(line + "\"\n");
            }
        }
    };
    match value {
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_".contains(&byte)) => word(text),
        Value::Array(items) => items.iter().for_each(|item| spell(item, words)),
        Value::Object(fields) => {
            fields.keys().for_each(|name| word(name));
            fields.values().for_each(|value| spell(value, words));
        }
        _ => {}
    }
}
