//! PostgreSQL's binary NUMERIC: base-10000 digits with a weight, a sign and a display scale.

const NEGATIVE: u16 = 0x4000;
const NAN: u16 = 0xC000;
const POSITIVE_INFINITY: u16 = 0xD000;
const NEGATIVE_INFINITY: u16 = 0xF000;

/// Why a NUMERIC is no exact decimal of the wanted type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotExact {
    Malformed,
    /// NaN or an infinity.
    NoNumber,
    /// More digits than the type holds, before or after the point.
    TooManyDigits,
}

fn header(bytes: &[u8]) -> Option<(i32, u16, &[u8])> {
    let at = |i: usize| bytes.get(i..i + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let (count, weight, sign) = (at(0)?, at(2)? as i16, at(4)?);
    let digits = bytes.get(8..)?;
    (digits.len() == usize::from(count) * 2).then_some((i32::from(weight), sign, digits))
}

/// The value times ten to `scale`, exactly, with at most `precision` digits.
pub fn decode(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, NotExact> {
    let (weight, sign, digits) = header(bytes).ok_or(NotExact::Malformed)?;
    if matches!(sign, NAN | POSITIVE_INFINITY | NEGATIVE_INFINITY) {
        return Err(NotExact::NoNumber);
    }
    let mut value: i128 = 0;
    let mut last = 0;
    for (i, pair) in (0i32..).zip(digits.chunks_exact(2)) {
        let digit = i128::from(u16::from_be_bytes([pair[0], pair[1]]));
        // The group stands for digit * 10^place in units of the wanted scale.
        let place = 4 * (weight - i) + i32::from(scale);
        // Digits behind the wanted scale must be zero; the rest of the group counts.
        let behind = u32::try_from(-place).unwrap_or(0).min(4);
        if digit % 10i128.pow(behind) != 0 {
            return Err(NotExact::TooManyDigits);
        }
        let (shift, digit) = (10i128.pow(4 - behind), digit / 10i128.pow(behind));
        value = value.checked_mul(shift).and_then(|v| v.checked_add(digit)).ok_or(NotExact::TooManyDigits)?;
        last = place.max(0);
    }
    if value == 0 {
        return Ok(0);
    }
    for _ in 0..last {
        value = value.checked_mul(10).ok_or(NotExact::TooManyDigits)?;
    }
    let limit = 10i128.checked_pow(u32::from(precision)).ok_or(NotExact::TooManyDigits)?;
    if value >= limit {
        return Err(NotExact::TooManyDigits);
    }
    Ok(if sign == NEGATIVE { -value } else { value })
}

/// The value as PostgreSQL prints it, for columns without a declared precision.
pub fn text(bytes: &[u8]) -> Option<String> {
    let (weight, sign, digits) = header(bytes)?;
    let scale = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
    match sign {
        NAN => return Some("NaN".to_owned()),
        POSITIVE_INFINITY => return Some("Infinity".to_owned()),
        NEGATIVE_INFINITY => return Some("-Infinity".to_owned()),
        _ => {}
    }
    let group = |i: i32| -> u16 {
        let start = usize::try_from(i).ok().map(|i| i * 2);
        start.and_then(|s| digits.get(s..s + 2)).map_or(0, |b| u16::from_be_bytes([b[0], b[1]]))
    };
    let mut whole = String::new();
    for i in 0..=weight.max(-1) {
        whole.push_str(&format!("{:04}", group(i)));
    }
    let whole = whole.trim_start_matches('0');
    let mut fraction = String::new();
    let mut place = weight + 1;
    while fraction.len() < scale {
        // Places before the first stored digit are zero, as `group` says.
        fraction.push_str(&format!("{:04}", group(place)));
        place += 1;
    }
    fraction.truncate(scale);
    let mut out = String::new();
    if sign == NEGATIVE {
        out.push('-');
    }
    out.push_str(if whole.is_empty() { "0" } else { whole });
    if scale > 0 {
        out.push('.');
        out.push_str(&fraction);
    }
    Some(out)
}

/// Appends `value * 10^-scale` in binary form, without a length in front.
pub fn encode(value: i128, scale: u32, out: &mut Vec<u8>) {
    // Align the point to a group of four digits.
    let padding = (4 - scale % 4) % 4;
    let mut magnitude = value.unsigned_abs();
    let mut groups: Vec<u16> = Vec::with_capacity(11);
    if padding > 0 {
        // The lowest group takes the digits that are there and zeros behind them: no overflow by scaling up.
        let keep = 10u128.pow(4 - padding);
        groups.push((magnitude % keep) as u16 * 10u16.pow(padding));
        magnitude /= keep;
    }
    while magnitude > 0 {
        groups.push((magnitude % 10_000) as u16);
        magnitude /= 10_000;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let weight = if groups.is_empty() { 0 } else { groups.len() as i32 - ((scale + padding) / 4) as i32 - 1 };
    // Trailing zero groups are not stored.
    let trailing = groups.iter().take_while(|g| **g == 0).count();
    groups.drain(..trailing);
    out.extend_from_slice(&(groups.len() as u16).to_be_bytes());
    out.extend_from_slice(&(weight as i16).to_be_bytes());
    out.extend_from_slice(&(if value < 0 { NEGATIVE } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    for group in groups.iter().rev() {
        out.extend_from_slice(&group.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_comes_back_from_its_own_encoding() {
        let max = 99_999_999_999_999_999_999_999_999_999_999_999_999i128;
        for scale in 0..=38u32 {
            for value in [0, 1, -1, 9, 10, 9999, 10_000, 10_001, -123_456_789, 100_000_000, max, -max, 12_340_000] {
                let mut bytes = Vec::new();
                encode(value, scale, &mut bytes);
                assert_eq!(decode(&bytes, 38, scale as i8), Ok(value), "{value} at scale {scale}");
            }
        }
    }

    #[test]
    fn digits_that_do_not_fit_are_refused_not_rounded() {
        let mut bytes = Vec::new();
        encode(12_345, 3, &mut bytes);
        assert_eq!(decode(&bytes, 38, 2), Err(NotExact::TooManyDigits));
        assert_eq!(decode(&bytes, 4, 3), Err(NotExact::TooManyDigits));
        assert_eq!(decode(&[0, 0, 0, 0, 0xC0, 0, 0, 0], 38, 2), Err(NotExact::NoNumber));
        assert_eq!(decode(&[0, 1], 38, 2), Err(NotExact::Malformed));
    }

    #[test]
    fn the_text_is_what_the_server_prints() {
        for (value, scale, printed) in
            [(0, 0, "0"), (0, 2, "0.00"), (1, 5, "0.00001"), (-12_345, 2, "-123.45"), (10_000, 0, "10000"), (1, 10, "0.0000000001")]
        {
            let mut bytes = Vec::new();
            encode(value, scale, &mut bytes);
            assert_eq!(text(&bytes).as_deref(), Some(printed));
        }
    }
}
