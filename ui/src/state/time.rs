//! How long ago something was, in the words of a list.

/// Milliseconds in a minute.
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The age of something, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    Now,
    Minutes(i64),
    Hours(i64),
    Yesterday,
    /// Within the last week.
    Days(i64),
    /// Longer ago: a date says more.
    Date,
}

/// The age at `now` of what happened `then`, both in milliseconds since 1970 UTC; `zone` is the local time's lead over UTC in minutes.
pub fn age(then: i64, now: i64, zone: i64) -> Age {
    let passed = (now - then).max(0);
    let day = |time: i64| (time + zone * MINUTE).div_euclid(DAY);
    match day(now) - day(then) {
        ..=0 if passed < MINUTE => Age::Now,
        ..=0 if passed < HOUR => Age::Minutes(passed / MINUTE),
        ..=0 => Age::Hours(passed / HOUR),
        1 if passed < HOUR => Age::Minutes((passed / MINUTE).max(1)),
        1 => Age::Yesterday,
        days @ 2..7 => Age::Days(days),
        _ => Age::Date,
    }
}

/// Whether two times lie on different local days.
pub fn other_day(one: i64, other: i64, zone: i64) -> bool {
    (one + zone * MINUTE).div_euclid(DAY) != (other + zone * MINUTE).div_euclid(DAY)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    /// 2026-01-10 00:30 UTC.
    const NOW: i64 = 1_768_005_000_000;

    #[test]
    fn ages_follow_the_local_calendar() {
        for (passed, zone, expected) in [
            (0, 0, Age::Now),
            (-5 * MINUTE, 0, Age::Now),
            (59_000, 0, Age::Now),
            (5 * MINUTE, 0, Age::Minutes(5)),
            (40 * MINUTE, 0, Age::Minutes(40)),
            (2 * HOUR, 0, Age::Yesterday),
            (2 * HOUR, 9 * 60, Age::Hours(2)),
            (26 * HOUR, 0, Age::Days(2)),
            (6 * DAY, 0, Age::Days(6)),
            (7 * DAY, 0, Age::Date),
        ] {
            assert_eq!(age(NOW - passed, NOW, zone), expected, "{passed} ms ago at {zone}");
        }
    }

    #[test]
    fn a_day_ends_at_local_midnight() {
        assert!(other_day(NOW, NOW - HOUR, 0));
        assert!(!other_day(NOW, NOW - HOUR, 9 * 60));
    }
}
