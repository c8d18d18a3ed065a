//! Sizes of what people download.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use brotli::enc::BrotliEncoderParams;

/// A number of bytes as it lies on the disk and as it is stored in the app.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) raw: u64,
    pub(crate) brotli: u64,
}

/// The sizes of the files of a folder and of those in it, each compressed by itself as the app stores them; the sum comes last.
pub(crate) fn of_folder(folder: &Path) -> Result<(Vec<(String, Size)>, Size)> {
    let mut files = Vec::new();
    collect(folder, folder, &mut files)?;
    files.sort();
    let mut sizes = Vec::with_capacity(files.len());
    let mut sum = Size::default();
    for name in files {
        let path = folder.join(&name);
        let bytes = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let size = Size { raw: bytes.len() as u64, brotli: compressed(&bytes)? };
        sum = Size { raw: sum.raw + size.raw, brotli: sum.brotli + size.brotli };
        sizes.push((name, size));
    }
    Ok((sizes, sum))
}

/// Prints one line for each file and one for the sum.
pub(crate) fn print(sizes: &[(String, Size)], sum: Size) {
    println!("  {:<28} {:>12} {:>12}", "front end", "raw", "brotli");
    for (name, size) in sizes.iter().map(|(name, size)| (name.as_str(), *size)).chain([("sum", sum)]) {
        println!("  {name:<28} {:>9} kB {:>9} kB", kilobytes(size.raw), kilobytes(size.brotli));
    }
}

/// Thousands of bytes with one digit after the point.
pub(crate) fn kilobytes(bytes: u64) -> String {
    let tenths = bytes.div_ceil(100);
    format!("{}.{}", tenths / 10, tenths % 10)
}

fn collect(top: &Path, folder: &Path, into: &mut Vec<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect(top, &path, into)?;
        } else if let Ok(name) = path.strip_prefix(top) {
            into.push(name.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

fn compressed(mut bytes: &[u8]) -> Result<u64> {
    let parameters = BrotliEncoderParams { quality: 11, lgwin: 22, ..BrotliEncoderParams::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut bytes, &mut out, &parameters)?;
    Ok(out.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kilobytes_round_up_to_a_tenth() {
        assert_eq!(kilobytes(0), "0.0");
        assert_eq!(kilobytes(1), "0.1", "a limit is never met by rounding");
        assert_eq!(kilobytes(349_900), "349.9");
        assert_eq!(kilobytes(349_901), "350.0");
    }

    #[test]
    fn a_folder_is_the_sum_of_its_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("inner")).unwrap();
        fs::write(folder.path().join("a.css"), "body { color: red } ".repeat(100)).unwrap();
        fs::write(folder.path().join("inner").join("b.js"), "x").unwrap();
        let (sizes, sum) = of_folder(folder.path()).unwrap();
        assert_eq!(sizes.len(), 2, "files in folders count");
        assert_eq!(sum.raw, 2001);
        assert!(sum.brotli > 0 && sum.brotli < 200, "repetition compresses");
    }
}
