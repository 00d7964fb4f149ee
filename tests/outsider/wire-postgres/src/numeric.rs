//! The binary form of numeric: groups of four digits, the power of 10,000 of the first, a sign, digits behind the point.

const NEGATIVE: u16 = 0x4000;

/// Exactly the number times ten to `scale` within `precision` digits, or why not.
pub fn decode(bytes: &[u8], precision: u8, scale: i8) -> Result<i128, &'static str> {
    const LONG: &str = "a numeric has more digits than the planned decimal holds";
    let (groups, weight, sign) = parts(bytes)?;
    if !matches!(sign, 0 | NEGATIVE) {
        return Err("NaN and infinity have no decimal form");
    }
    let count = groups.len() / 2;
    let lowest = 4 * (i32::from(weight) + 1 - count as i32) + i32::from(scale);
    let magnitude: u128 = if count <= 4 {
        let number = groups.chunks_exact(2).fold(0_u64, |n, g| n * 10_000 + u64::from(u16::from_be_bytes([g[0], g[1]])));
        match u32::try_from(lowest) {
            Ok(up) if up <= 3 => u128::from(number * 10_u64.pow(up)),
            Ok(up) if number == 0 || up > 38 => {
                if number != 0 {
                    return Err(LONG);
                }
                0
            }
            Ok(up) => u128::from(number).checked_mul(10_u128.pow(up)).ok_or(LONG)?,
            Err(_) => {
                let down = lowest.unsigned_abs();
                let part = if down <= 19 { 10_u64.pow(down) } else if number == 0 { 1 } else { return Err(LONG) };
                if number % part != 0 {
                    return Err(LONG);
                }
                u128::from(number / part)
            }
        }
    } else {
        long(groups, i32::from(weight), i32::from(scale)).ok_or(LONG)?
    };
    if magnitude >= 10_u128.pow(u32::from(precision).min(38)) {
        return Err(LONG);
    }
    let value = magnitude as i128;
    Ok(if sign == NEGATIVE { -value } else { value })
}

/// More groups than a machine word holds: each is cut or raised in its own place.
fn long(groups: &[u8], weight: i32, scale: i32) -> Option<u128> {
    let mut value = 0_u128;
    let mut raise = 0;
    for (i, group) in (0_i32..).zip(groups.chunks_exact(2)) {
        let digits = u128::from(u16::from_be_bytes([group[0], group[1]]));
        let place = 4 * (weight - i) + scale;
        let cut = (-place).clamp(0, 4) as u32;
        if digits % 10_u128.pow(cut) != 0 {
            return None;
        }
        value = value.checked_mul(10_u128.pow(4 - cut))?.checked_add(digits / 10_u128.pow(cut))?;
        raise = place.max(0) as u32;
    }
    if value == 0 { Some(0) } else { value.checked_mul(10_u128.checked_pow(raise)?) }
}

/// The groups' bytes, the first group's power, the sign.
fn parts(bytes: &[u8]) -> Result<(&[u8], i16, u16), &'static str> {
    let at = |i: usize| bytes.get(i..i + 2).map(|b| u16::from_be_bytes([b[0], b[1]])).ok_or("the server sent a malformed numeric");
    let (count, weight, sign) = (at(0)?, at(2)? as i16, at(4)?);
    let groups = bytes.get(8..).filter(|g| g.len() == usize::from(count) * 2).ok_or("the server sent a malformed numeric")?;
    Ok((groups, weight, sign))
}

/// As the server prints it.
pub fn text(bytes: &[u8]) -> Result<String, &'static str> {
    let (groups, weight, sign) = parts(bytes)?;
    match sign {
        0xC000 => return Ok("NaN".to_owned()),
        0xD000 => return Ok("Infinity".to_owned()),
        0xF000 => return Ok("-Infinity".to_owned()),
        _ => {}
    }
    let behind = usize::from(u16::from_be_bytes([bytes[6], bytes[7]]));
    let group = |power: i32| {
        let i = usize::try_from(i32::from(weight) - power).ok().map(|i| i * 2);
        i.and_then(|i| groups.get(i..i + 2)).map_or(0, |g| u16::from_be_bytes([g[0], g[1]]))
    };
    let whole: String = (0..=i32::from(weight).max(0)).rev().map(|p| format!("{:04}", group(p))).collect();
    let whole = Some(whole.trim_start_matches('0')).filter(|w| !w.is_empty()).unwrap_or("0");
    let mut fraction: String = (1..=behind.div_ceil(4) as i32).map(|p| format!("{:04}", group(-p))).collect();
    fraction.truncate(behind);
    Ok(format!("{}{whole}{}{fraction}", if sign == NEGATIVE { "-" } else { "" }, if behind > 0 { "." } else { "" }))
}

/// Appends `value` with `scale` digits behind the point.
pub fn encode(value: i128, scale: u32, out: &mut Vec<u8>) {
    // Digits from the point outwards, four at a time: the first group behind it may need zeros behind.
    let digits = value.unsigned_abs().to_string();
    let digits = format!("{digits:0>width$}", width = scale as usize + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale as usize);
    let whole = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let fraction = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let groups: Vec<u16> = whole.as_bytes().chunks(4).chain(fraction.as_bytes().chunks(4)).map(|g| g.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'))).collect();
    let zeros = groups.iter().take_while(|g| **g == 0).count();
    let end = groups.iter().rposition(|g| *g != 0).map_or(zeros, |e| e + 1);
    let kept = &groups[zeros..end];
    let weight = if kept.is_empty() { 0 } else { (whole.len() / 4) as i16 - 1 - zeros as i16 };
    out.extend_from_slice(&(kept.len() as u16).to_be_bytes());
    out.extend_from_slice(&weight.to_be_bytes());
    out.extend_from_slice(&(if value < 0 { NEGATIVE } else { 0 }).to_be_bytes());
    out.extend_from_slice(&(scale as u16).to_be_bytes());
    kept.iter().for_each(|g| out.extend_from_slice(&g.to_be_bytes()));
}

#[cfg(test)]
mod tests {
    use super::{decode, encode, text};

    #[test]
    fn values_come_back_from_their_own_form_at_every_scale() {
        let most = 10_i128.pow(38) - 1;
        for scale in 0..=38_u32 {
            for value in [0, 1, -1, 9, 10, 9999, 10_000, -123_456_789, 100_000_000, 1_234_000_000, most, -most, most / 10_000] {
                let mut bytes = Vec::new();
                encode(value, scale, &mut bytes);
                assert_eq!(decode(&bytes, 38, scale as i8), Ok(value), "{value} at {scale}");
                let printed = text(&bytes).unwrap();
                assert_eq!(printed.replace(['-', '.'], "").trim_start_matches('0'), value.unsigned_abs().to_string().trim_start_matches('0'));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut bytes = Vec::new();
        encode(12_345, 3, &mut bytes);
        assert!(decode(&bytes, 38, 2).is_err() && decode(&bytes, 4, 3).is_err());
        assert_eq!(decode(&bytes, 38, 5), Ok(1_234_500));
        assert_eq!(text(&bytes).unwrap(), "12.345");
        assert!(decode(&[0, 0, 0, 0, 0xC0, 0, 0, 0], 38, 2).is_err() && decode(&[1], 38, 2).is_err());
    }
}
