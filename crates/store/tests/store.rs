//! The store on real files.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

use std::{fs, path::Path};

use callbox_store::{Conversation, Draft, Retry, Store, StoreError};

const ADA: &str = "https://tenant.example/|ada";
const GRACE: &str = "https://tenant.example/|grace";
const KEY: [u8; 32] = [7; 32];
const OTHER_KEY: [u8; 32] = [8; 32];

fn conversation(id: &str, title: &str, updated_at: u64) -> Conversation {
    Conversation { id: id.to_owned(), title: title.to_owned(), updated_at }
}

fn ids(store: &Store, account: &str) -> Vec<String> {
    store.list(account).unwrap().into_iter().map(|conversation| conversation.id).collect()
}

/// Everything that is in the folder, as bytes.
fn contents(folder: &Path) -> Vec<u8> {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    files.flatten().collect()
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle.as_bytes())
}

#[test]
fn what_was_put_is_there_after_a_restart_and_the_newest_is_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let store = Store::open(&path, KEY).unwrap();
    assert_eq!(store.replaced(), None, "a first start replaces nothing");
    store.put(ADA, &conversation("a", "東京の天気 🌦", 1_700_000_000_000)).unwrap();
    store.put(ADA, &conversation("b", "", 1_700_000_000_002)).unwrap();
    store.put(ADA, &conversation("c", "third", 1_700_000_000_001)).unwrap();
    assert_eq!(ids(&store, ADA), ["b", "c", "a"]);
    // The process is killed: nothing is closed, the log is not folded in.
    std::mem::forget(store);

    let store = Store::open(&path, KEY).unwrap();
    assert_eq!(store.replaced(), None, "the right key opens the file");
    let expected = [
        conversation("b", "", 1_700_000_000_002),
        conversation("c", "third", 1_700_000_000_001),
        conversation("a", "東京の天気 🌦", 1_700_000_000_000),
    ];
    assert_eq!(store.list(ADA).unwrap(), expected);
}

#[test]
fn touching_renaming_and_removing_change_one_conversation_of_one_account() {
    let store = Store::in_memory();
    for account in [ADA, GRACE] {
        store.put(account, &conversation("a", "first", 1)).unwrap();
        store.put(account, &conversation("b", "second", 2)).unwrap();
    }
    assert!(store.touch(ADA, "a", 3).unwrap());
    assert_eq!(ids(&store, ADA), ["a", "b"]);
    assert!(store.touch(ADA, "a", 1).unwrap(), "it is there");
    assert_eq!(ids(&store, ADA), ["a", "b"], "but an earlier time changes nothing");
    assert!(store.rename(ADA, "a", "renamed").unwrap());
    assert_eq!(store.list(ADA).unwrap()[0], conversation("a", "renamed", 3));
    assert!(!store.touch(ADA, "z", 3).unwrap() && !store.rename(ADA, "z", "z").unwrap(), "unknown conversations are not made");
    store.put(ADA, &conversation("b", "replaced", 9)).unwrap();
    assert_eq!(store.list(ADA).unwrap(), [conversation("b", "replaced", 9), conversation("a", "renamed", 3)]);
    store.remove(ADA, "b").unwrap();
    store.remove(ADA, "never-there").unwrap();
    assert_eq!(ids(&store, ADA), ["a"]);
    assert_eq!(
        store.list(GRACE).unwrap(),
        [conversation("b", "second", 2), conversation("a", "first", 1)],
        "the other account is untouched"
    );
    store.wipe(ADA).unwrap();
    assert_eq!((ids(&store, ADA).len(), ids(&store, GRACE).len()), (0, 2));
}

#[test]
fn neither_titles_nor_accounts_are_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.sqlite3"), KEY).unwrap();
    store.put(ADA, &conversation("conversation-id", "the secret plan", 1)).unwrap();
    store.rename(ADA, "conversation-id", "the other plan").unwrap();
    let bytes = contents(folder.path());
    assert!(contains(&bytes, "conversation-id"), "the row itself is there");
    for hidden in ["secret", "other plan", "ada", "tenant.example"] {
        assert!(!contains(&bytes, hidden), "{hidden}");
    }
    store.wipe(ADA).unwrap();
    assert!(!contains(&contents(folder.path()), "conversation-id"), "wiped is wiped, in the log, too");
}

#[cfg(unix)]
#[test]
fn the_files_are_the_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store.sqlite3"), KEY).unwrap();
    store.put(ADA, &conversation("a", "title", 1)).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn with_another_key_a_fresh_store_is_opened_beside_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let first = Store::open(&path, KEY).unwrap();
    first.put(ADA, &conversation("a", "first", 1)).unwrap();
    drop(first);

    let second = Store::open(&path, OTHER_KEY).unwrap();
    let replaced = second.replaced().expect("the store says that it is not the old one").clone();
    assert_eq!(
        (replaced.why.clone(), replaced.code(), replaced.why.retry()),
        (StoreError::WrongKey, "store-replaced-wrong-key", Retry::Never)
    );
    assert_eq!(second.list(ADA).unwrap(), []);
    second.put(ADA, &conversation("b", "second", 2)).unwrap();
    drop(second);
    let second = Store::open(&path, OTHER_KEY).unwrap();
    assert_eq!((second.replaced(), ids(&second, ADA)), (None, vec!["b".to_owned()]));

    // The old one is whole, under the old key.
    let first = Store::open(&replaced.old, KEY).unwrap();
    assert_eq!((first.replaced(), first.list(ADA).unwrap()), (None, vec![conversation("a", "first", 1)]));
    drop((first, second));

    Store::erase(&path).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left behind, the old file included");
    Store::erase(&path).unwrap();
}

#[test]
fn a_damaged_file_is_replaced_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let whole = {
        let store = Store::open(&path, KEY).unwrap();
        for n in 0..200 {
            store.put(ADA, &conversation(&format!("conversation-{n}"), &"long title ".repeat(20), n)).unwrap();
        }
        drop(store);
        fs::read(&path).unwrap()
    };
    let mut torn = whole.clone();
    torn[4096 * 3..4096 * 5].fill(0x55);
    let garbage = b"this was never a database".repeat(300);
    for (what, bytes) in [("garbage", garbage), ("pages overwritten", torn), ("cut in half", whole[..whole.len() / 2].to_vec())] {
        let _ = Store::erase(&path);
        fs::write(&path, &bytes).unwrap();
        let store = Store::open(&path, KEY).unwrap_or_else(|error| panic!("{what}: {error}"));
        let replaced = store.replaced().unwrap_or_else(|| panic!("{what}: not noticed"));
        assert_eq!((&replaced.why, replaced.code()), (&StoreError::Corrupt, "store-replaced-corrupt"), "{what}");
        assert_eq!(fs::read(&replaced.old).unwrap(), bytes, "{what}: the old file is as it was");
        assert_eq!(store.list(ADA).unwrap(), [], "{what}");
        store.put(ADA, &conversation("a", "works", 1)).unwrap();
    }
}

#[test]
fn old_files_do_not_pile_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    for n in 0..20 {
        let store = Store::open(&path, [n; 32]).unwrap();
        assert_eq!(store.replaced().is_some(), n > 0);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 10);
}

#[test]
fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    drop(Store::open(&path, KEY).unwrap());
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA user_version = 99; CREATE TABLE future (x INTEGER);").unwrap();
    drop(connection);
    let error = Store::open(&path, KEY).unwrap_err();
    assert_eq!((error.clone(), error.code()), (StoreError::Newer { found: 99, known: 4 }, "store-newer"));
    let connection = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(connection.query_row("SELECT count(*) FROM future", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn a_title_that_was_tampered_with_is_empty_and_the_rest_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let store = Store::open(&path, KEY).unwrap();
    store.put(ADA, &conversation("a", "harmless", 2)).unwrap();
    store.put(ADA, &conversation("b", "transfer all", 1)).unwrap();
    // Somebody with the file but without the key swaps two titles.
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute("UPDATE conversation SET title = (SELECT title FROM conversation WHERE id = 'b') WHERE id = 'a'", []).unwrap();
    assert_eq!(store.list(ADA).unwrap(), [conversation("a", "", 2), conversation("b", "transfer all", 1)]);
}

#[test]
fn places_where_no_file_can_be_are_an_error_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().join("no/such/folder/store.sqlite3"), folder.path().to_owned()] {
        let error = Store::open(&path, KEY).unwrap_err();
        assert_eq!((error.code(), error.retry()), ("store-cannot-open", Retry::Later), "{}", path.display());
    }
    fs::write(folder.path().join("file"), "x").unwrap();
    assert_eq!(Store::open(&folder.path().join("file/store.sqlite3"), KEY).unwrap_err(), StoreError::CannotOpen);
}

#[test]
fn two_processes_can_have_it_open_and_a_lock_that_stays_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let (one, two) = (Store::open(&path, KEY).unwrap(), Store::open(&path, KEY).unwrap());
    one.put(ADA, &conversation("a", "one", 1)).unwrap();
    two.put(ADA, &conversation("b", "two", 2)).unwrap();
    assert_eq!((ids(&one, ADA), ids(&two, ADA)), (vec!["b".to_owned(), "a".to_owned()], vec!["b".to_owned(), "a".to_owned()]));
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = one.put(ADA, &conversation("c", "three", 3)).unwrap_err();
    assert_eq!((error.code(), error.retry()), ("store-busy", Retry::Later));
    connection.execute_batch("ROLLBACK").unwrap();
    one.put(ADA, &conversation("c", "three", 3)).unwrap();
}

fn outgoing(store: &Store, account: &str, conversation: &str) -> Vec<String> {
    store.outgoing(account, conversation).unwrap().into_iter().map(|body| String::from_utf8(body).unwrap()).collect()
}

#[test]
fn messages_on_their_way_are_there_after_a_crash_in_their_order_and_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let store = Store::open(&path, KEY).unwrap();
    for name in ["a", "b"] {
        store.put(ADA, &conversation(name, "", 1)).unwrap();
    }
    for (id, text) in [("m9", "first words"), ("m1", "second words"), ("m5", "third words")] {
        store.put_outgoing(ADA, "a", id, "", text.as_bytes()).unwrap();
    }
    store.put_outgoing(ADA, "a", "m9", "", "first words, tried".as_bytes()).unwrap();
    store.put_outgoing(ADA, "b", "m1", "", b"elsewhere").unwrap();
    store.remove_outgoing(ADA, "a", "m1").unwrap();
    store.remove_outgoing(ADA, "a", "never-there").unwrap();
    std::mem::forget(store);

    assert!(!contains(&contents(folder.path()), "words"), "the file tells nothing");
    let store = Store::open(&path, KEY).unwrap();
    assert_eq!(outgoing(&store, ADA, "a"), ["first words, tried", "third words"]);
    assert_eq!((outgoing(&store, ADA, "b"), outgoing(&store, GRACE, "a")), (vec!["elsewhere".to_owned()], vec![]));
    let mut with = store.conversations_with_outgoing(ADA).unwrap();
    with.sort();
    assert_eq!((with, store.conversations_with_outgoing(GRACE).unwrap()), (vec!["a".to_owned(), "b".to_owned()], vec![]));
}

#[test]
fn messages_on_their_way_go_with_their_conversation_and_with_their_account() {
    let store = Store::in_memory();
    for account in [ADA, GRACE] {
        for name in ["a", "b"] {
            store.put(account, &conversation(name, "", 1)).unwrap();
            store.put_outgoing(account, name, "m1", "", b"words").unwrap();
        }
    }
    store.remove(ADA, "a").unwrap();
    assert_eq!((outgoing(&store, ADA, "a").len(), outgoing(&store, ADA, "b").len()), (0, 1));
    let error = store.put_outgoing(ADA, "a", "m2", "", b"words").unwrap_err();
    assert_eq!((error.code(), error.retry()), ("store-no-conversation", Retry::Never), "it was being saved while its conversation went");
    store.wipe(ADA).unwrap();
    assert_eq!((outgoing(&store, ADA, "b").len(), outgoing(&store, GRACE, "a").len()), (0, 1));
}

#[test]
fn a_message_that_was_moved_to_another_row_does_not_open_and_is_left_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let store = Store::open(&path, KEY).unwrap();
    store.put(ADA, &conversation("a", "", 1)).unwrap();
    store.put_outgoing(ADA, "a", "m1", "", b"one").unwrap();
    store.put_outgoing(ADA, "a", "m2", "", b"two").unwrap();
    let file = rusqlite::Connection::open(&path).unwrap();
    file.execute("UPDATE outbox SET message = 'm3' WHERE message = 'm1'", []).unwrap();
    assert_eq!(outgoing(&store, ADA, "a"), ["two"]);
    let rows: u32 = file.query_row("SELECT count(*) FROM outbox", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 2);
}

/// A store with a conversation, in a file that an earlier version has left: `back` makes it that.
fn brought_up_to_date(path: &Path, back: &str) -> Store {
    let store = Store::open(path, KEY).unwrap();
    store.put(ADA, &conversation("a", "kept", 1)).unwrap();
    drop(store);
    rusqlite::Connection::open(path).unwrap().execute_batch(back).unwrap();
    Store::open(path, KEY).unwrap()
}

#[test]
fn a_file_of_the_first_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let store = brought_up_to_date(&folder.path().join("store.sqlite3"), "DROP TABLE outbox; DROP TABLE draft; PRAGMA user_version = 1;");
    assert_eq!((store.replaced(), store.list(ADA).unwrap().len()), (None, 1));
    store.put_outgoing(ADA, "a", "m1", "", b"words").unwrap();
}

#[test]
fn an_unsent_text_of_an_earlier_version_is_that_of_its_conversations_box() {
    let folder = tempfile::tempdir().unwrap();
    // As the third version has written it, sealed to the account, NUL, `a`, and two more.
    let store = brought_up_to_date(
        &folder.path().join("store.sqlite3"),
        "DROP TABLE draft;
         CREATE TABLE draft (
             account BLOB NOT NULL, conversation TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (account, conversation)
         ) STRICT, WITHOUT ROWID;
         INSERT INTO draft SELECT account, id,
             X'000102030405060708090a0bbab652b969d8c050216588c9a60d7e92902ce188522786ff378300a63dd595' FROM conversation;
         PRAGMA user_version = 3;",
    );
    let draft = |message: &str, text: &str| Draft { conversation: "a".to_owned(), message: message.to_owned(), text: text.to_owned() };
    assert_eq!((store.replaced(), store.drafts(ADA).unwrap()), (None, vec![draft("", "half a sentence")]));
    store.put_draft(ADA, "a", "m1", "in other words").unwrap();
    let mut both = store.drafts(ADA).unwrap();
    both.sort();
    assert_eq!(both, [draft("", "half a sentence"), draft("m1", "in other words")]);
}

#[test]
fn changes_of_another_process_are_noticed_once_and_our_own_are_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite3");
    let (store, other) = (Store::open(&path, KEY).unwrap(), Store::open(&path, KEY).unwrap());
    assert_eq!(store.changed_elsewhere(), Ok(true), "nobody has looked yet");
    store.put(ADA, &conversation("a", "own", 1)).unwrap();
    assert_eq!(store.changed_elsewhere(), Ok(false));
    other.put(GRACE, &conversation("b", "another's", 2)).unwrap();
    assert_eq!(store.changed_elsewhere(), Ok(true));
    assert_eq!(store.changed_elsewhere(), Ok(false));
}
