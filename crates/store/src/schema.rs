//! Opening a database: its settings, its version, its key.

use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};

use crate::{StoreError, seal::Keys};

/// Each entry brings the schema from its index to the next version. Entries are never changed, only added.
const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE fact (
        name  TEXT NOT NULL PRIMARY KEY,
        value BLOB NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE conversation (
        account    BLOB NOT NULL,
        id         TEXT NOT NULL,
        title      BLOB NOT NULL,
        updated_at INTEGER NOT NULL,
        PRIMARY KEY (account, id)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE outbox (
        account      BLOB NOT NULL,
        conversation TEXT NOT NULL,
        message      TEXT NOT NULL,
        position     INTEGER NOT NULL,
        body         BLOB NOT NULL,
        PRIMARY KEY (account, conversation, message)
    ) STRICT, WITHOUT ROWID;
",
    "
    CREATE TABLE draft (
        account      BLOB NOT NULL,
        conversation TEXT NOT NULL,
        body         BLOB NOT NULL,
        PRIMARY KEY (account, conversation)
    ) STRICT, WITHOUT ROWID;
",
    // A text of a conversation's box is one of no message.
    "
    CREATE TABLE message_draft (
        account      BLOB NOT NULL,
        conversation TEXT NOT NULL,
        message      TEXT NOT NULL,
        body         BLOB NOT NULL,
        PRIMARY KEY (account, conversation, message)
    ) STRICT, WITHOUT ROWID;
    INSERT INTO message_draft SELECT account, conversation, '', body FROM draft;
    DROP TABLE draft;
    ALTER TABLE message_draft RENAME TO draft;
",
];

/// The row by which the right key is recognised.
const KEY_CHECK: &str = "key-check";

/// How long to wait for another process that is writing.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes a fresh or existing database ready for use under `keys`.
pub(crate) fn prepare(connection: &mut Connection, keys: &Keys) -> Result<(), StoreError> {
    connection.busy_timeout(PATIENCE)?;
    // What is deleted is overwritten; what is committed survives a loss of power.
    connection.pragma_update(None, "secure_delete", "ON")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    check(connection)?;
    migrate(connection)?;
    check_key(connection, keys)
}

/// Looks for damage. The file is small: a row for each conversation.
fn check(connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Corrupt) }
}

fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    // Immediate: of two processes that open the same old file, one migrates and the other waits.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found: u32 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    if found < known {
        for step in &MIGRATIONS[usize::try_from(found).unwrap_or(usize::MAX)..] {
            // Tables of ours in a file without our version: not a file that we have written.
            transaction.execute_batch(step).map_err(|error| match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::Unknown) => StoreError::Corrupt,
                _ => error.into(),
            })?;
        }
        transaction.pragma_update(None, "user_version", known)?;
    }
    transaction.commit()?;
    Ok(())
}

fn check_key(connection: &Connection, keys: &Keys) -> Result<(), StoreError> {
    let place = KEY_CHECK.as_bytes();
    let sealed: Option<Vec<u8>> =
        connection.query_row("SELECT value FROM fact WHERE name = ?1", [KEY_CHECK], |row| row.get(0)).optional()?;
    match sealed {
        Some(sealed) => keys.open(place, &sealed).map(drop).ok_or(StoreError::WrongKey),
        None => {
            let sealed = keys.seal(place, b"")?;
            connection.execute("INSERT OR IGNORE INTO fact (name, value) VALUES (?1, ?2)", (KEY_CHECK, sealed))?;
            Ok(())
        }
    }
}
