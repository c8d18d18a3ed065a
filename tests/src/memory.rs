//! What another process has written into its memory.

use std::{fs::File, io::Read as _, ops::Range, os::unix::fs::FileExt as _};

use crate::{Result, error::While as _};

const PAGE: u64 = 4096;
/// So many pages are asked about at once: those of one page of the page map.
const PAGES: u64 = 512;
/// Bits of an entry of the page map: the page is in memory, or has been swapped out.
const WRITTEN: u64 = 0b11 << 62;

/// Calls `each` with every block of neighbouring pages that can be written to and have been.
///
/// A script engine reserves more addresses than any computer has memory, so the page map is asked first (`proc_pid_pagemap(5)`).
///
/// # Errors
/// When we may not look.
pub(crate) fn each_block(pid: u32, mut each: impl FnMut(&[u8])) -> Result<()> {
    let open = |name: &str| File::open(format!("/proc/{pid}/{name}")).doing("a process's memory");
    let (memory, map) = (open("mem")?, open("pagemap")?);
    let mut maps = String::new();
    open("maps")?.read_to_string(&mut maps).doing("a process's memory")?;
    let mut block = Vec::new();
    for range in maps.lines().filter_map(writable) {
        for pages in written(&map, &range) {
            block.resize(usize::try_from(pages.end - pages.start).unwrap_or_default(), 0);
            // What has gone meanwhile cannot be read and need not be.
            let length = memory.read_at(&mut block, pages.start).unwrap_or(0);
            each(&block[..length]);
        }
    }
    Ok(())
}

/// The addresses of a mapping that can be written to.
fn writable(line: &str) -> Option<Range<u64>> {
    let (range, rest) = line.split_once(' ')?;
    let (start, end) = range.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    rest.starts_with("rw").then_some(address(start)?..address(end)?)
}

/// Runs of pages that have been written to.
fn written(map: &File, range: &Range<u64>) -> Vec<Range<u64>> {
    let mut runs: Vec<Range<u64>> = Vec::new();
    let mut entries = vec![0; 8 * usize::try_from(PAGES).unwrap_or_default()];
    let nothing = entries.clone();
    for start in range.clone().step_by(usize::try_from(PAGES * PAGE).unwrap_or(1)) {
        let length = map.read_at(&mut entries, start / PAGE * 8).unwrap_or(0);
        if entries[..length] == nothing[..length] {
            continue;
        }
        for (address, entry) in (start..range.end).step_by(4096).zip(entries[..length].chunks_exact(8)) {
            let entry = entry.try_into().map_or(0, u64::from_ne_bytes);
            match runs.last_mut() {
                _ if entry & WRITTEN == 0 => {}
                Some(last) if last.end == address => last.end += PAGE,
                _ => runs.push(address..address + PAGE),
            }
        }
    }
    runs
}

/// How many bytes of memory a process has, as far as it is in memory.
#[cfg(test)]
fn resident(pid: u32) -> Option<u64> {
    let pages = std::fs::read_to_string(format!("/proc/{pid}/statm")).ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_seen_and_what_was_only_reserved_is_not() {
        let reserved: Vec<u8> = Vec::with_capacity(1 << 30);
        let written = vec![7u8; 1 << 20];
        let (mut seen, mut sevens) = (0, 0);
        each_block(std::process::id(), |block| {
            seen += block.len() as u64;
            sevens = sevens.max(block.split(|byte| *byte != 7).map(<[u8]>::len).max().unwrap_or(0));
        })
        .unwrap();
        assert!(sevens >= written.len(), "{sevens}");
        assert!(seen <= 2 * resident(std::process::id()).unwrap(), "{seen} bytes were read, with {} reserved", reserved.capacity());
    }
}
