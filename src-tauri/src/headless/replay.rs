//! `callbox replay FILE [--json]`: plays a recording into the same fold as the window's, so that a report of a mistake can be looked at
//! without the agent it happened with. [`callbox_protocol::replay`] says what a recording is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::PathBuf;

use callbox_protocol::replay::{Replay, ReplayError, Seen};
use clap::Args;
use serde::Serialize;
use serde_json::Number;

use super::{DATA_ERROR, IO_ERROR, NO_INPUT, plain, readable};

/// Play recorded frames and print the conversation that comes of them.
///
/// A recording has one JSON object a line: the frames of each socket as they were sent and received, and what happened around them. Nothing
/// is sent anywhere.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Exit codes:\n   0  all is printed\n   2  the command line is wrong\n  65  the file is no recording; stderr has the line and the reason\n  66  there is no such file, or it cannot be read\n  74  the output cannot be written"
)]
pub(crate) struct Options {
    /// The recording.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Print JSON, one object a line.
    ///
    /// {"t": milliseconds, "client": number from 1, "messages": [messages]}, for each client wherever the recording has an answer of
    /// get-messages (with its "t"), and for each client at the end of the file. A socket that opened after the former one closed is the same
    /// client come back; sockets that are open together are different clients.
    #[arg(long)]
    pub json: bool,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{} cannot be read ({reason}). Check the name and that you may read it.", file.display())]
    Unreadable { file: PathBuf, reason: io::Error },
    #[error("{}: {reason}", file.display())]
    NotARecording { file: PathBuf, reason: ReplayError },
    #[error("Line {line} of {} is not UTF-8; check that the file is a recording, one JSON object per line.", file.display())]
    NotText { file: PathBuf, line: usize },
    #[error("The output cannot be written ({0}).")]
    Output(#[from] io::Error),
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } => NO_INPUT,
            Self::NotARecording { .. } | Self::NotText { .. } => DATA_ERROR,
            Self::Output(_) => IO_ERROR,
        }
    }

    /// Whoever read the output has stopped to.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        matches!(self, Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

/// One line of the JSON output.
#[derive(Serialize)]
struct Line<'a> {
    t: &'a Option<Number>,
    client: usize,
    messages: &'a [callbox_protocol::UiMessage],
}

/// Plays the recording and writes what comes of it.
pub(crate) fn run(options: &Options, output: &mut impl Write) -> Result<(), Failure> {
    let file = &options.file;
    let unreadable = |reason| Failure::Unreadable { file: file.clone(), reason };
    let mut input = BufReader::new(File::open(file).map_err(unreadable)?);
    let mut output = io::BufWriter::new(output);
    // The lists in the recording are what the recorded client was told, so they are taken in, after being compared.
    let mut replay = Replay::with_snapshots();
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        if input.read_until(b'\n', &mut bytes).map_err(unreadable)? == 0 {
            break;
        }
        let Ok(line) = std::str::from_utf8(&bytes) else { return Err(Failure::NotText { file: file.clone(), line: number }) };
        let checkpoint = replay.line(line).map_err(|reason| Failure::NotARecording { file: file.clone(), reason })?;
        if let (true, Some(checkpoint)) = (options.json, checkpoint) {
            write_json(&mut output, &checkpoint.time, &checkpoint.clients)?;
        }
    }
    let (time, clients) = replay.shown();
    if options.json {
        write_json(&mut output, &time, &clients)?;
    } else {
        readable::write(&mut output, &clients)?;
    }
    Ok(output.flush()?)
}

fn write_json(output: &mut impl Write, t: &Option<Number>, clients: &[Seen]) -> io::Result<()> {
    for seen in clients {
        plain::write_json(output, &Line { t, client: seen.client, messages: &seen.messages })?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "functions that only tests call")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn frame(t: u64, direction: &str, frame: &Value) -> String {
        format!("{}\n", json!({"t": t, "conn": 1, "dir": direction, "raw": frame.to_string()}))
    }

    /// Somebody says hi.
    fn asked() -> String {
        let body = json!({"messages": [{"id": "u", "role": "user", "parts": [{"type": "text", "text": "hi"}]}]}).to_string();
        let request = json!({"type": "cf_agent_use_chat_request", "id": "q", "init": {"method": "POST", "body": body}});
        let open = json!({"t": 1, "dir": "meta", "text": "socket open", "conn": 1, "room": "r"});
        format!("{open}\n{}", frame(2, "out", &request))
    }

    /// The agent has written this much in answer.
    fn answering() -> String {
        let chunks = [json!({"type": "start", "messageId": "a"}), json!({"type": "text-delta", "id": "0", "delta": "x\u{1b}[31my"})];
        let response = |(seq, chunk): (usize, &Value)| {
            let body = chunk.to_string();
            frame(4, "in", &json!({"type": "cf_agent_use_chat_response", "id": "q", "seq": seq, "done": false, "body": body}))
        };
        chunks.iter().enumerate().map(response).collect()
    }

    fn told() -> String {
        let user = json!({"id": "u", "role": "user", "parts": []});
        format!("{}\n", json!({"t": 3.5, "dir": "meta", "text": "GET get-messages", "messages": [user]}))
    }

    /// What is printed, and how it ends.
    fn replayed(content: &[u8], json: bool) -> (String, Result<(), Failure>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recording.jsonl");
        std::fs::write(&file, content).unwrap();
        let mut output = Vec::new();
        let result = run(&Options { file, json }, &mut output);
        (String::from_utf8(output).unwrap(), result)
    }

    #[test]
    fn json_has_a_line_for_each_client_at_each_answer_of_get_messages_and_at_the_end() {
        let (output, result) = replayed([asked(), told(), answering()].concat().as_bytes(), true);
        assert!(result.is_ok());
        let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let user = json!({"id": "u", "role": "user", "parts": [{"type": "text", "text": "hi"}]});
        assert_eq!(lines[0], json!({"t": 3.5, "client": 1, "messages": [user]}), "by the frames before it, not by its own word");
        let text = json!({"type": "text", "text": "x\u{1b}[31my", "state": "streaming"});
        assert_eq!(lines[1]["t"], json!(4), "the time as it stands in the file");
        assert_eq!(lines[1]["messages"][1], json!({"id": "a", "role": "assistant", "parts": [text]}), "with what is being written");
        assert_eq!(lines.len(), 2);
    }

    /// `client:messages` of each line.
    fn told_by(content: &str) -> Vec<String> {
        let (output, result) = replayed(content.as_bytes(), true);
        assert!(result.is_ok());
        let lines = output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let ids = |line: &Value| {
            line["messages"].as_array().unwrap().iter().map(|message| message["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        lines.map(|line| format!("{}@{}:{}", line["client"], line["t"], ids(&line).join(","))).collect()
    }

    fn meta(t: u64, conn: u64, text: &str, room: &str) -> String {
        format!("{}\n", json!({"t": t, "dir": "meta", "text": text, "conn": conn, "room": room}))
    }

    #[test]
    fn a_socket_that_opens_when_the_former_has_closed_is_the_same_client_and_one_beside_it_is_another() {
        let list = |t: u64, room: &str, ids: &[&str]| {
            let messages: Vec<Value> = ids.iter().map(|id| json!({"id": id, "role": "user", "parts": []})).collect();
            format!("{}\n", json!({"t": t, "dir": "meta", "text": "GET get-messages", "room": room, "messages": messages}))
        };
        let back = [asked(), meta(3, 1, "socket closed 1006 ", "r"), meta(4, 2, "socket open", "r"), list(5, "r", &["u"])].concat();
        assert_eq!(told_by(&back), ["1@5:u", "1@5:u"]);
        let beside = [asked(), meta(3, 2, "socket open", "r"), meta(4, 1, "socket closed 1000 ", "r"), list(5, "r", &["u"])].concat();
        assert_eq!(told_by(&beside), ["1@5:u", "2@5:u", "1@5:u", "2@5:u"], "who joins has asked for what was said");
        let elsewhere = [asked(), meta(3, 2, "socket open", "s"), list(5, "s", &[]), list(6, "r", &["u"])].concat();
        assert_eq!(told_by(&elsewhere), ["2@5:", "1@6:u", "1@6:u", "2@6:"], "each list is for the clients of its conversation");
        let windows = back.replace('\n', "\r\n\r\n");
        assert_eq!(told_by(&windows), told_by(&back));
    }

    #[test]
    fn a_recording_that_begins_in_the_middle_has_its_lists_too() {
        let opened = asked();
        let (_, request) = opened.split_once('\n').unwrap();
        let named = json!({"t": 3, "dir": "meta", "text": "GET get-messages", "room": "r", "messages": []});
        assert_eq!(told_by(&format!("{request}{named}\n")), ["1@3:u", "1@3:u"]);
    }

    #[test]
    fn text_names_who_spoke_and_cannot_steer_the_terminal() {
        let (output, result) = replayed([asked(), answering()].concat().as_bytes(), false);
        assert!(result.is_ok());
        assert_eq!(output, "user:\n  hi\n\nassistant:\n  x[U+001B][31my\n\n");
    }

    #[test]
    fn a_line_that_is_no_part_of_a_recording_is_named() {
        for (broken, code) in [(&b"{\"t\":5,\n"[..], 65), (b"[]\n", 65), (b"{\"dir\":\"in\"}\n", 65), (b"\xff\n", 65)] {
            let (_, result) = replayed(&[asked().as_bytes(), broken].concat(), false);
            let failure = result.unwrap_err();
            assert_eq!(failure.exit_code(), code);
            assert!(failure.to_string().contains("Line 3 of"), "{failure}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_no_recording_that_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        for file in [folder.path().join("nothing"), folder.path().to_owned()] {
            let failure = run(&Options { file, json: true }, &mut Vec::new()).unwrap_err();
            assert_eq!(failure.exit_code(), 66);
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("recording.jsonl");
        std::fs::write(&file, asked()).unwrap();
        assert!(run(&Options { file, json: false }, &mut Closed).unwrap_err().is_closed_pipe());
    }
}
