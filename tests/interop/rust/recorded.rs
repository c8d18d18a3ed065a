//! A recording, played by the app itself: `callbox replay --json`.

use std::{env, fs, path::Path};

use callbox_protocol::replay::Replay;
use serde_json::Value;
use tokio::process::Command;

/// Plays a recording and holds what the app prints to the last list of the agent in it, for the clients of these sockets.
pub(crate) async fn check(file: &Path, sockets: &[u64]) {
    let app = env::var_os("CALLBOX_APP").expect("`cargo xtask test --only interop` builds the app first and says where it is");
    let output = Command::new(app).arg("replay").arg(file).arg("--json").output().await.unwrap();
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    let printed: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let recording = fs::read_to_string(file).unwrap();
    let mut replay = Replay::with_snapshots();
    let checkpoints: Vec<_> = recording.lines().filter_map(|line| replay.line(line).unwrap()).collect();
    let count: usize = checkpoints.iter().map(|checkpoint| checkpoint.clients.len()).sum();
    assert_eq!(printed.len(), count + replay.shown().1.len(), "{}: each client, at each list and at the end", file.display());
    let last = checkpoints.last().expect("there is a list");
    let at_last = &printed[count - last.clients.len()..count];
    for (seen, line) in last.clients.iter().zip(at_last) {
        if seen.sockets.iter().any(|socket| sockets.contains(socket)) {
            assert_eq!(line["client"], seen.client);
            assert_eq!(line["messages"], Value::from(last.expected.clone()), "{}: client {}", file.display(), seen.client);
        }
    }
}
