//! No image of this process on the disk: what is in its memory is in the clear.

/// From now on a crash of this process, or of one that it starts, writes no core dump (setrlimit(2), `RLIMIT_CORE`). Whether the system has
/// agreed; there is nothing to be done if it has not.
///
/// On Windows a crash leaves an image only where an administrator has asked for one, and this does nothing.
#[must_use]
pub fn forbid_core_dumps() -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};

        setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).is_ok()
    }
    #[cfg(not(unix))]
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn a_crash_leaves_no_core_dump() {
        assert!(super::forbid_core_dumps());
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let core = limits.lines().find_map(|line| line.strip_prefix("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().take(2).collect::<Vec<_>>(), ["0", "0"]);
    }
}
