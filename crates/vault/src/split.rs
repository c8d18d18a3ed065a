//! Values that are larger than one entry: split into pieces, so that a crash leaves the old value or the new one, never a mix.
//!
//! A small value is one entry, as it is. A large one is a head under its key, which names a generation, and pieces. There are two places for
//! pieces, one for even generations and one for odd: the new ones are written beside the old ones, and the head last, because it alone says
//! which generation counts. Every piece carries its generation and its writer, so what two writers left between them is recognised and not
//! put together.
//!
//! Whatever is written is read back: a keychain that says yes and keeps something else has not kept it.

use std::{
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{Backend, ENTRY_LEN, MAX_LEN, Secret, VaultError};

/// What a head begins with. A value that begins with it is split, whatever its size.
const MAGIC: &[u8; 16] = b"\0callbox-split1\0";
/// Generation, writer, number.
const PIECE_HEADER: usize = 8 + 8 + 2;
const PIECE_LEN: usize = ENTRY_LEN - PIECE_HEADER;
const MAX_PIECES: usize = MAX_LEN.div_ceil(PIECE_LEN);
/// How often a value is read again that another process was writing meanwhile.
const ATTEMPTS: usize = 3;

/// A keychain whose entries are small, as one whose values can be large.
pub(crate) struct Split<B> {
    backend: B,
    /// Tells this vault's pieces from those of another one that writes at the same time.
    writer: u64,
}

/// What stands under the key of a large value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    generation: u64,
    writer: u64,
    pieces: u16,
    len: u32,
}

impl Head {
    const LEN: usize = MAGIC.len() + 8 + 8 + 2 + 4;

    fn write(self) -> Secret<Vec<u8>> {
        let mut bytes = Vec::with_capacity(Self::LEN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.writer.to_be_bytes());
        bytes.extend_from_slice(&self.pieces.to_be_bytes());
        bytes.extend_from_slice(&self.len.to_be_bytes());
        Secret::new(bytes)
    }

    /// `None`: the bytes are a value, not a head.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC).filter(|_| bytes.len() == Self::LEN)?;
        let (generation, writer) = (u64::from_be_bytes(take(&mut rest)?), u64::from_be_bytes(take(&mut rest)?));
        Some(Self { generation, writer, pieces: u16::from_be_bytes(take(&mut rest)?), len: u32::from_be_bytes(take(&mut rest)?) })
    }

    fn piece_header(self, number: u16) -> [u8; PIECE_HEADER] {
        let mut header = [0; PIECE_HEADER];
        header[..8].copy_from_slice(&self.generation.to_be_bytes());
        header[8..16].copy_from_slice(&self.writer.to_be_bytes());
        header[16..].copy_from_slice(&number.to_be_bytes());
        header
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

fn piece_key(key: &str, generation: u64, number: u16) -> String {
    format!("{key}.{}.{number}", generation % 2)
}

impl<B: Backend> Split<B> {
    pub(crate) fn new(backend: B) -> Self {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
        #[expect(clippy::cast_possible_truncation, reason = "the low bits are the ones that differ")]
        let writer = (nanos as u64) ^ u64::from(process::id()).rotate_left(40);
        Self { backend, writer }
    }

    /// The head that is there.
    fn head(&mut self, key: &str) -> Result<Option<Head>, VaultError> {
        Ok(self.backend.get(key)?.and_then(|bytes| Head::read(bytes.expose())))
    }

    /// The value of this head; `None` if its pieces are not there, or not its own.
    fn assemble(&mut self, key: &str, head: Head) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        let len = head.len as usize;
        if len > MAX_LEN {
            return Ok(None);
        }
        // One buffer of the final size: growing would leave copies behind.
        let mut value = Secret::new(Vec::with_capacity(len));
        for number in 0..head.pieces {
            let Some(piece) = self.backend.get(&piece_key(key, head.generation, number))? else { return Ok(None) };
            let content = piece.expose().strip_prefix(&head.piece_header(number));
            let Some(content) = content.filter(|content| value.expose().len() + content.len() <= len) else { return Ok(None) };
            value.expose_mut().extend_from_slice(content);
        }
        Ok((value.expose().len() == len).then_some(value))
    }

    fn write_entry(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.backend.set(key, value)?;
        let there = self.backend.get(key)?;
        if there.is_some_and(|there| there.expose() == value.expose()) { Ok(()) } else { Err(VaultError::Changed) }
    }

    fn write_pieces(&mut self, key: &str, head: Head, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        for (number, content) in (0..).zip(value.expose().chunks(PIECE_LEN)) {
            let mut piece = Vec::with_capacity(ENTRY_LEN);
            piece.extend_from_slice(&head.piece_header(number));
            piece.extend_from_slice(content);
            self.write_entry(&piece_key(key, head.generation, number), &Secret::new(piece))?;
        }
        Ok(())
    }

    /// Removes the pieces of a generation, from one number on. What cannot be removed is in nobody's way, and is found the next time: the last
    /// goes first, so there is never a gap before one that is left.
    fn sweep(&mut self, key: &str, generation: u64, from: u16) {
        let mut end = from;
        while usize::from(end) < MAX_PIECES && matches!(self.backend.get(&piece_key(key, generation, end)), Ok(Some(_))) {
            end += 1;
        }
        for number in (from..end).rev() {
            if self.backend.delete(&piece_key(key, generation, number)).is_err() {
                return;
            }
        }
    }
}

impl<B: Backend> Backend for Split<B> {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.backend.get(key)? else { return Ok(None) };
            let Some(head) = Head::read(entry.expose()) else { return Ok(Some(entry)) };
            if let Some(value) = self.assemble(key, head)? {
                return Ok(Some(value));
            }
            if self.head(key)? == Some(head) {
                break;
            }
        }
        Err(VaultError::Changed)
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        let bytes = value.expose();
        let old = match self.head(key) {
            // What is there need not be readable to be replaced.
            Err(VaultError::Backend(_)) => None,
            answer => answer?,
        };
        if bytes.len() <= ENTRY_LEN && !bytes.starts_with(MAGIC) {
            self.write_entry(key, value)?;
            self.sweep(key, 0, 0);
            self.sweep(key, 1, 0);
        } else {
            let too_large = |_| VaultError::TooLarge { len: bytes.len(), max: MAX_LEN };
            let pieces = u16::try_from(bytes.len().div_ceil(PIECE_LEN)).map_err(too_large)?;
            let generation = old.map_or(0, |old| old.generation.wrapping_add(1));
            let head = Head { generation, writer: self.writer, pieces, len: u32::try_from(bytes.len()).map_err(too_large)? };
            self.write_pieces(key, head, value)?;
            self.write_entry(key, &head.write())?;
            // A write that was cut short may have left more pieces here than this one has.
            self.sweep(key, generation, pieces);
            self.sweep(key, generation.wrapping_add(1), 0);
        }
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.backend.delete(key)?;
        self.sweep(key, 0, 0);
        self.sweep(key, 1, 0);
        Ok(())
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        self.backend.probe()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{Arc, Mutex},
    };

    use super::*;

    type Entries = BTreeMap<String, Vec<u8>>;

    /// A keychain that fails after so many calls that change something, for good: as if the process had been killed there.
    #[derive(Clone)]
    struct Drawer(Arc<Mutex<(Entries, usize)>>);

    impl Drawer {
        fn with(entries: Entries, budget: usize) -> Self {
            Self(Arc::new(Mutex::new((entries, budget))))
        }

        fn new() -> Self {
            Self::with(Entries::new(), usize::MAX)
        }

        fn entries(&self) -> Entries {
            self.0.lock().unwrap().0.clone()
        }

        fn change(&self, change: impl FnOnce(&mut Entries)) -> Result<(), VaultError> {
            let mut drawer = self.0.lock().unwrap();
            drawer.1 = drawer.1.checked_sub(1).ok_or(VaultError::Unavailable)?;
            change(&mut drawer.0);
            Ok(())
        }
    }

    impl Backend for Drawer {
        fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
            Ok(self.0.lock().unwrap().0.get(key).map(|bytes| bytes.as_slice().into()))
        }

        fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
            assert!(value.expose().len() <= ENTRY_LEN, "{} bytes in one entry", value.expose().len());
            self.change(|entries| drop(entries.insert(key.to_owned(), value.expose().clone())))
        }

        fn delete(&mut self, key: &str) -> Result<(), VaultError> {
            self.change(|entries| drop(entries.remove(key)))
        }

        fn probe(&mut self) -> Result<(), VaultError> {
            Ok(())
        }
    }

    fn value(fill: u8, len: usize) -> Secret<Vec<u8>> {
        Secret::new((0..len).map(|at| fill.wrapping_add((at % 251) as u8)).collect())
    }

    fn read(drawer: &Drawer) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(Split::new(drawer.clone()).get("a")?.map(|value| value.expose().clone()))
    }

    fn written(len: usize) -> Drawer {
        let drawer = Drawer::new();
        Split::new(drawer.clone()).set("a", &value(1, len)).unwrap();
        drawer
    }

    const SIZES: [usize; 6] = [0, 32, ENTRY_LEN, ENTRY_LEN + 1, 3 * PIECE_LEN, MAX_LEN];

    #[test]
    fn a_value_of_any_size_is_read_as_it_was_written() {
        for len in SIZES {
            let drawer = written(len);
            assert_eq!(read(&drawer), Ok(Some(value(1, len).expose().clone())), "{len} bytes");
            let entries = if len <= ENTRY_LEN { 1 } else { 1 + len.div_ceil(PIECE_LEN) };
            assert_eq!(drawer.entries().len(), entries, "{len} bytes");
        }
    }

    #[test]
    fn a_small_value_is_one_entry_as_it_is_unless_it_looks_like_a_head() {
        assert_eq!(written(32).entries(), Entries::from([("a".to_owned(), value(1, 32).expose().clone())]));
        for posing in [MAGIC.to_vec(), [MAGIC.as_slice(), &[0; 22]].concat()] {
            let drawer = Drawer::new();
            Split::new(drawer.clone()).set("a", &Secret::new(posing.clone())).unwrap();
            assert_eq!(read(&drawer), Ok(Some(posing)));
        }
    }

    #[test]
    fn a_crash_at_any_call_leaves_the_old_value_or_the_new_one() {
        for (old, new) in SIZES[..5].iter().flat_map(|old| SIZES[..5].iter().map(move |new| (*old, *new))) {
            let (before, after) = (value(1, old).expose().clone(), value(2, new).expose().clone());
            // A write has to come to its end at some number of calls.
            for calls in 0.. {
                let drawer = Drawer::with(written(old).entries(), calls);
                let done = Split::new(drawer.clone()).set("a", &value(2, new));
                let finished = drawer.0.lock().unwrap().1 > 0;
                let there = read(&drawer).unwrap().unwrap();
                assert!(there == before || there == after, "neither, after {calls} calls from {old} to {new} bytes");
                assert!(done.is_err() || there == after);

                // And the next write puts everything in order.
                let drawer = Drawer::with(drawer.entries(), usize::MAX);
                Split::new(drawer.clone()).set("a", &value(3, 40)).unwrap();
                assert_eq!(drawer.entries().keys().collect::<Vec<_>>(), ["a"], "after {calls} calls from {old} to {new} bytes");
                if finished {
                    assert_eq!(done, Ok(()));
                    break;
                }
            }
        }
    }

    #[test]
    fn a_deletion_takes_every_piece_along() {
        for len in SIZES {
            let drawer = written(len);
            Split::new(drawer.clone()).delete("a").unwrap();
            assert_eq!(drawer.entries(), Entries::new(), "{len} bytes");
        }
    }

    #[test]
    fn pieces_that_are_lost_or_of_two_writers_are_not_put_together() {
        let whole = written(3 * PIECE_LEN).entries();
        let mut lost = whole.clone();
        lost.remove("a.0.1");
        let mut mixed = whole.clone();
        let mut other = Split { writer: 7, ..Split::new(Drawer::new()) };
        other.set("a", &value(9, 3 * PIECE_LEN)).unwrap();
        mixed.insert("a.0.1".to_owned(), other.backend.entries()["a.0.1"].clone());
        let mut swapped = whole;
        let (first, second) = (swapped["a.0.0"].clone(), swapped["a.0.1"].clone());
        swapped.insert("a.0.0".to_owned(), second);
        swapped.insert("a.0.1".to_owned(), first);
        for entries in [lost, mixed, swapped] {
            assert_eq!(read(&Drawer::with(entries, 0)), Err(VaultError::Changed));
        }
    }

    #[test]
    fn a_keychain_that_keeps_something_else_has_not_kept_it() {
        struct Forgetful;
        impl Backend for Forgetful {
            fn get(&mut self, _: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
                Ok(Some(Secret::new(b"older".to_vec())))
            }

            fn set(&mut self, _: &str, _: &Secret<Vec<u8>>) -> Result<(), VaultError> {
                Ok(())
            }

            fn delete(&mut self, _: &str) -> Result<(), VaultError> {
                Ok(())
            }

            fn probe(&mut self) -> Result<(), VaultError> {
                Ok(())
            }
        }
        assert_eq!(Split::new(Forgetful).set("a", &value(1, 32)), Err(VaultError::Changed));
    }
}
