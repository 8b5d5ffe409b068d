//! When a token ends: RFC 3339, as people and GitHub write it.
//!
//! A bare date means its first second in UTC, so a proxy token is never valid longer
//! than the shortest reading of the file allows.

/// Unix seconds of an RFC 3339 §5.6 `date-time` or `full-date`.
///
/// Fractions of a second are dropped; a leap second counts as the second after it.
pub fn unix_seconds(text: &str) -> Option<u64> {
    let (date, time) = match text.find(['T', 't', ' ']) {
        Some(at) => (text.get(..at)?, text.get(at + 1..)),
        None => (text, None),
    };
    let seconds = days_since_1970(date)? * 86_400 + time.map_or(Some(0), seconds_of_day)?;
    u64::try_from(seconds).ok()
}

/// Days from 1970-01-01 to `year-month-day` in the Gregorian calendar.
fn days_since_1970(date: &str) -> Option<i64> {
    let (year, rest) = date.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let (year, month, day) = (digits(year, 4)?, digits(month, 2)?, digits(day, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_length = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=month_length).contains(&day) {
        return None;
    }
    // Count years from March, so that the leap day is the last day of a year.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_of_months = (153 * month + 2) / 5;
    Some(365 * year + leap_days + days_of_months + day - 1 - 719_468)
}

/// `hh:mm:ss[.fraction](Z|±hh:mm)` in seconds, relative to the day in UTC.
fn seconds_of_day(time: &str) -> Option<i64> {
    let (time, offset) = match time.find(['Z', 'z', '+', '-']) {
        Some(at) => (time.get(..at)?, time.get(at..)?),
        None => return None,
    };
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (clock, second) = time.rsplit_once(':')?;
    let second = digits(second, 2).filter(|second| *second <= 60)?;
    let offset = match offset.split_at_checked(1)? {
        ("Z" | "z", "") => 0,
        ("+", east) => minutes(east)?,
        ("-", west) => -minutes(west)?,
        _ => return None,
    };
    Some((minutes(clock)? - offset) * 60 + second)
}

/// `hh:mm` in minutes.
fn minutes(clock: &str) -> Option<i64> {
    let (hour, minute) = clock.split_once(':')?;
    let hour = digits(hour, 2).filter(|hour| *hour < 24)?;
    let minute = digits(minute, 2).filter(|minute| *minute < 60)?;
    Some(hour * 60 + minute)
}

/// Exactly `count` decimal digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    let valid = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn timestamps_and_dates() {
        for (text, seconds) in [
            ("1970-01-01", Some(0)),
            ("1970-01-01T00:00:01Z", Some(1)),
            ("2000-02-29", Some(951_782_400)),
            ("2000-03-01", Some(951_868_800)),
            ("2024-12-31T23:59:60Z", Some(1_735_689_600)),
            ("2026-01-31T12:00:00.25z", Some(1_769_860_800)),
            ("2026-01-31 14:00:00+02:00", Some(1_769_860_800)),
            ("2026-01-31T06:30:00-05:30", Some(1_769_860_800)),
            ("9999-12-31T23:59:59Z", Some(253_402_300_799)),
            ("1969-12-31", None),
            ("2026-02-29", None),
            ("2100-02-29", None),
            ("2026-13-01", None),
            ("2026-00-01", None),
            ("2026-04-31", None),
            ("2026-1-1", None),
            ("+026-01-01", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31T24:00:00Z", None),
            ("2026-01-31T12:60:00Z", None),
            ("2026-01-31T12:00Z", None),
            ("2026-01-31T12:00:00.Z", None),
            ("2026-01-31T12:00:00Zé", None),
            ("2026-01-31T12:00:00é", None),
            ("2026-01-31T", None),
            ("T12:00:00Z", None),
            ("tomorrow", None),
            ("", None),
        ] {
            assert_eq!(unix_seconds(text), seconds, "{text}");
        }
    }
}
