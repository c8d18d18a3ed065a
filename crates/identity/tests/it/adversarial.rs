//! The list of attacks and accidents in `tests/adversarial.md` is true.

use std::{collections::BTreeSet, path::Path};

#[test]
fn every_attack_on_the_list_has_the_tests_that_are_named() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let list = std::fs::read_to_string(here.join("adversarial.md")).unwrap();
    let rows: Vec<_> = list.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| |")).collect();
    let attacks: BTreeSet<_> = rows.iter().filter_map(|row| row.split('|').nth(1)).map(str::trim).collect();
    assert_eq!(attacks.len(), 25, "{attacks:?}");
    let mut named = 0;
    for (file, test) in rows.iter().flat_map(|row| row.split('`')).filter_map(|code| code.split_once(' ')) {
        let Some(file) = Path::new(file).extension().filter(|extension| *extension == "rs").map(|_| file) else { continue };
        let source = match file.strip_prefix("../") {
            Some(elsewhere) => here.join("..").join(elsewhere),
            None => here.join("it").join(file),
        };
        let text = std::fs::read_to_string(&source).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
        assert!(text.contains(&format!("fn {test}()")), "{file} has no test {test}");
        named += 1;
    }
    assert!(named >= 50, "only {named} tests were found on the list");
}
