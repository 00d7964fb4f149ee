//! Reading less at run time: which scans wait for another's keys, which share one read, and what is then asked.
//!
//! [`crate::pushdown`] says what may be reduced by what. Here is decided what pays, from what the sources estimate, and the
//! conditions are written. Pure: whoever moves the rows asks the sources for estimates, calls [`arrange`], and calls
//! [`condition`] with the keys that came.
//!
//! The guard: keys are worth waiting for when the rows that they are expected to save are more bytes than the keys (the scan
//! that gives them is expected to meet as much of the waiting one as it is of its own relation), or when the scan that gives
//! them has at most half the rows of the one that waits (a tenth, when nothing says that it is less than its whole table); and
//! when they are few enough for one condition; and when they came, when they are no more than that is worth ([`worth`]). Below [`WORTH`] rows a scan waits only when it gives
//! keys itself to one above.
//! Keys that are too many to list are told as a range, of whole numbers and dates: every key lies from the least to the largest.
//! A read that several scans share must never move more: their columns are the same, so the OR of their conditions gives at
//! most the sum of their rows.

use crate::catalog::ColumnSchema;
use crate::dialect::{Estimate, KeyArray};
use crate::ir::{FederatedPlan, KeyLiteral, Reduction, RemoteScan};
use crate::pushdown::filters::Found;
use crate::pushdown::keys::Among;
use crate::pushdown::guard::width;
use crate::pushdown::literal;
use crate::types::{CanonicalType, Family};
use crate::pushdown::verdict::{Rule, Rules};
use crate::residual::Table;
use crate::PlanRequest;

/// Bytes below which a scan is read as it is.
const WORTH: f64 = 12_000.0;

/// What a scan was asked when its keys came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// So many keys.
    Keys(u64),
    /// All from the least to the largest.
    Range,
    /// Nothing: it was not worth it.
    All,
}

/// One read of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Numbers of the scans that it feeds; the first one's columns are all of theirs.
    pub scans: Vec<usize>,
    /// In the source's dialect, without the conditions of `reductions`.
    pub sql: String,
    /// Whether `sql` ends in a condition.
    filtered: bool,
    /// Numbers of the reductions that it waits for.
    pub reductions: Vec<usize>,
}

impl Read {
    /// The statement with the conditions that came of its reductions.
    pub fn with(&self, conditions: &[String]) -> String {
        if conditions.is_empty() {
            return self.sql.clone();
        }
        format!("{} {} {}", self.sql, if self.filtered { "AND" } else { "WHERE" }, conditions.join(" AND "))
    }
}

/// The reductions of a plan, from what was found for each scan.
pub(crate) fn reductions(found: &[Found], tables: &[Table], scans: &[RemoteScan], request: &PlanRequest<'_>, rules: &Rules) -> Vec<Reduction> {
    let mut out = Vec::new();
    if request.no_pushdown || !rules.on(Rule::Keys) {
        return out;
    }
    for (number, scan) in scans.iter().enumerate().filter(|(_, s)| s.limit.is_none()) {
        for among in found.get(number).iter().flat_map(|f| &f.among) {
            out.extend(reduction(number, scan, among, tables, scans, request));
        }
    }
    out
}

fn reduction(number: usize, scan: &RemoteScan, among: &Among, tables: &[Table], scans: &[RemoteScan], request: &PlanRequest<'_>) -> Option<Reduction> {
    let schema = |table: usize, column: usize| request.catalog.relation(&tables.get(table)?.relation)?.columns.get(column);
    let (column, given) = (schema(number, among.column)?, schema(among.by.0, among.by.1)?);
    let by = scans.get(among.by.0)?;
    // The key must be read anyway.
    let key = by.columns.iter().find(|c| c.name == given.name)?;
    let sheet = request.sheets.get(&(request.target_dialect)(&scan.source)?).ok()?;
    let (comparison, _) = sheet.comparison(column, "=").ok()?;
    let quoted = sheet.quote(&column.name);
    Some(Reduction {
        scan: scan.name.clone(),
        column: column.name.clone(),
        by: by.name.clone(),
        key: key.name.clone(),
        canonical: column.canonical?,
        unless: comparison.unless.as_ref().map(|u| u.replace("{column}", &quoted)),
        quoted,
        literal: comparison.literal.clone(),
        ranges: matches!(column.canonical?.family(), Family::Integer | Family::Date) && [">=", "<="].iter().all(|o| sheet.comparison(column, o).is_ok()),
        most: sheet.keys.most,
        bytes: sheet.keys.bytes,
        array: sheet.keys.array.as_ref().and_then(|a| array(a, column, &sheet.quote(&column.name))),
    })
}

/// A computed column has no type of the product's own to name.
fn array(of: &KeyArray, column: &ColumnSchema, quoted: &str) -> Option<KeyLiteral> {
    let element = of.elements.get(&column.canonical?.family())?.clone();
    if column.native.is_empty() && of.sql.contains("{type}") {
        return None;
    }
    let sql = of.sql.replace("{type}", &column.native).replace("{column}", quoted);
    Some(KeyLiteral { sql, element, from: of.from, most: of.most, bytes: of.bytes })
}

/// Decides what waits for what and what is read once. `rows`: the rows that each scan would deliver, as far as known.
///
/// A read stands behind those that it waits for.
pub fn arrange(plan: &FederatedPlan, rows: &[Option<u64>]) -> Vec<Read> {
    let waits = schedule(plan, rows);
    let own = |scan: &RemoteScan| waits.iter().copied().filter(|r| plan.reductions[*r].scan == scan.name).collect::<Vec<usize>>();
    let mut out: Vec<Read> = Vec::new();
    let mut left: Vec<usize> = (0..plan.scans.len()).collect();
    while !left.is_empty() {
        let ready = |number: &usize| own(&plan.scans[*number]).iter().all(|r| giver(plan, &out, *r).is_some());
        let number = left.remove(left.iter().position(ready).unwrap_or_default());
        let scan = &plan.scans[number];
        let own = own(scan);
        // Places that wait for keys of one read wait for the same.
        let same = |a: usize, b: usize| {
            let (x, y) = (&plan.reductions[a], &plan.reductions[b]);
            x.column == y.column && x.key == y.key && giver(plan, &out, a) == giver(plan, &out, b)
        };
        let alike = |read: &Read| {
            let first = &plan.scans[read.scans[0]];
            plan.shares
                && first.source == scan.source
                && bare(first) == bare(scan)
                && first.columns == scan.columns
                // Nobody else drops the rows that the other one needs.
                && (conditions(first) == conditions(scan) || [first, scan].iter().all(|s| s.pushed.iter().all(|p| !p.settled)))
                && first.limit.is_none()
                && scan.limit.is_none()
                && read.reductions.len() == own.len()
                && own.iter().all(|a| read.reductions.iter().any(|b| same(*a, *b)))
        };
        match out.iter().position(alike) {
            Some(at) => {
                out[at].scans.push(number);
                let scans = out[at].scans.iter().map(|s| &plan.scans[*s]);
                (out[at].sql, out[at].filtered) = merged(scans);
            }
            None => out.push(Read { scans: vec![number], sql: scan.sql.clone(), filtered: !scan.pushed.is_empty(), reductions: own }),
        }
    }
    out
}

/// Which of the reads gives a reduction's keys.
fn giver(plan: &FederatedPlan, reads: &[Read], reduction: usize) -> Option<usize> {
    reads.iter().position(|read| read.scans.iter().any(|s| plan.scans[*s].name == plan.reductions[reduction].by))
}

/// A scan's conditions.
fn conditions(scan: &RemoteScan) -> Vec<&str> {
    scan.pushed.iter().map(|p| p.remote.as_str()).collect()
}

/// A scan's statement without its conditions.
fn bare(scan: &RemoteScan) -> &str {
    let list = conditions(scan);
    if list.is_empty() { &scan.sql } else { scan.sql.strip_suffix(&format!(" WHERE {}", list.join(" AND "))).unwrap_or(&scan.sql) }
}

/// One statement for scans that differ in their conditions alone.
fn merged<'a>(scans: impl Iterator<Item = &'a RemoteScan>) -> (String, bool) {
    let mut whole: Option<&RemoteScan> = None;
    let mut parts: Vec<String> = Vec::new();
    let mut open = false;
    for scan in scans {
        whole = whole.or(Some(scan));
        open |= scan.pushed.is_empty();
        let part = conditions(scan).join(" AND ");
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    let bare = whole.map(bare).unwrap_or_default();
    match parts.as_slice() {
        _ if open => (bare.to_owned(), false),
        [one] => (format!("{bare} WHERE {one}"), true),
        several => {
            let list: Vec<String> = several.iter().map(|p| format!("({p})")).collect();
            (format!("{bare} WHERE ({})", list.join(" OR ")), true)
        }
    }
}

/// Bytes of a key in a condition, as it is sent.
const KEY: f64 = 12.0;

/// What is known of a scan before it is read.
struct Guess {
    /// Rows that it would deliver.
    left: Option<f64>,
    /// Rows of all that it reads from.
    all: Option<f64>,
    /// Whether it is less than all.
    selective: bool,
    /// Bytes of a row.
    width: f64,
}

impl Guess {
    fn new(scan: &RemoteScan, rows: Option<u64>) -> Self {
        Self {
            left: rows.map(|r| r as f64),
            all: scan.rows.map(|r| r as f64),
            selective: !scan.pushed.is_empty() || matches!((rows, scan.rows), (Some(now), Some(all)) if now * 10 < all * 9),
            width: scan.columns.iter().map(|c| width(Some(c.canonical)) as f64).sum(),
        }
    }

    /// The part of a waiting scan's rows that is expected to meet its keys, where something tells.
    fn share(&self) -> Option<f64> {
        let all = self.all.filter(|all| *all > 0.0)?;
        Some((self.left? / all).clamp(0.0001, 1.0))
    }
}

/// The reductions that pay, by number. A scan that is less than its relation is read before one that is not, and the one of
/// the fewest bytes first; what it reduces is then smaller.
fn schedule(plan: &FederatedPlan, rows: &[Option<u64>]) -> Vec<usize> {
    let mut scans: Vec<Guess> = plan.scans.iter().zip(rows).map(|(scan, rows)| Guess::new(scan, *rows)).collect();
    let mut read = vec![false; scans.len()];
    let mut out = Vec::new();
    let position = |name: &str| plan.scans.iter().position(|s| s.name == name);
    loop {
        let open = (0..scans.len()).filter(|i| !read[*i]).filter_map(|i| Some((i, scans[i].left?)));
        let bytes = |(scan, rows): (usize, f64)| rows * scans[scan].width;
        let first = open.min_by(|a, b| (!scans[a.0].selective).cmp(&!scans[b.0].selective).then(bytes(*a).total_cmp(&bytes(*b))));
        let Some((next, giving)) = first else { break };
        read[next] = true;
        let (share, times) = (scans[next].share(), if scans[next].selective { 2.0 } else { 10.0 });
        for (number, reduction) in plan.reductions.iter().enumerate() {
            let (Some(by), Some(to)) = (position(&reduction.by), position(&reduction.scan)) else { continue };
            if by != next || read[to] {
                continue;
            }
            let Some(waiting) = scans[to].left else { continue };
            let saves = share.is_some_and(|s| s < 0.9 && waiting * (1.0 - s) * scans[to].width > giving * KEY);
            // A small scan waits only to give fewer keys to a large one.
            let large = |to: usize| scans[to].left.is_some_and(|rows| rows * scans[to].width >= WORTH);
            let passes_on = || plan.reductions.iter().any(|r| r.by == reduction.scan && position(&r.scan).is_some_and(|i| !read[i] && large(i)));
            if !(large(to) || passes_on()) || !(saves || giving * times <= waiting) || giving > reduction.most() as f64 * 4.0 {
                continue;
            }
            out.push(number);
            // Keys are taken to be spread evenly over the rows that wait.
            let share = share.unwrap_or(0.1);
            scans[to].left = Some((waiting * share).max(1.0));
            scans[to].selective |= share < 0.9;
        }
    }
    out.sort_unstable();
    out
}

/// How many keys a reduction is worth, when they came: half as many as the rows that would be `waiting`, or as many as are
/// fewer bytes than what they are expected to save. `rows`: what each scan would deliver. None: nothing tells.
pub fn worth(plan: &FederatedPlan, rows: &[Option<u64>], reduction: &Reduction, waiting: Option<u64>) -> Option<u64> {
    let guess = |name: &str| plan.scans.iter().zip(rows).find(|(s, _)| s.name == name).map(|(scan, rows)| Guess::new(scan, *rows));
    let waiting = waiting? as f64;
    let saves = guess(&reduction.by).and_then(|g| g.share()).zip(guess(&reduction.scan)).map_or(0.0, |(share, to)| waiting * (1.0 - share) * to.width);
    Some((waiting / 2.0).max(saves / KEY) as u64)
}

/// A key's place in a condition.
enum Key {
    Literal(String),
    /// The column's type cannot hold it: it meets nothing.
    Nothing,
    /// It cannot be written so that every product reads it alike.
    Unsaid,
}

/// What a scan is asked when it waited for `keys`: their plain texts, each once, without NULL. `worth`: how many are
/// worth it. None when the condition is not, or cannot be said.
pub fn condition<'k>(reduction: &Reduction, keys: impl ExactSizeIterator<Item = &'k str> + Clone, worth: Option<u64>) -> Option<String> {
    let count = keys.len() as u64;
    if count > reduction.most() || worth.is_some_and(|w| count > w) {
        return None;
    }
    // A quote would need a backslash before it, which a session may read as it likes.
    let array = reduction.array.as_ref().filter(|a| count >= a.from && count <= a.most && !keys.clone().any(|k| k.contains('"')));
    let (around, separator, most) = array.map_or((&reduction.literal, ", ", reduction.bytes), |a| (&a.element, ",", a.bytes));
    let (mut list, mut told) = (String::new(), 0);
    for key in keys {
        let text = match said(key, reduction.canonical) {
            Key::Literal(text) => text,
            Key::Nothing => continue,
            Key::Unsaid => return None,
        };
        if told > 0 {
            list += separator;
        }
        list += &around.replace("{}", &text);
        told += 1;
        if list.len() as u64 > most {
            return None;
        }
    }
    let told = match array {
        _ if told == 0 => "1 = 0".to_owned(),
        Some(array) => array.sql.replace("{keys}", &list),
        None if told > reduction.most => return None,
        None => format!("{} IN ({list})", reduction.quoted),
    };
    Some(match &reduction.unless {
        Some(alternative) => format!("({told} OR {alternative})"),
        None => told,
    })
}

/// What a scan is asked when it waited for more keys than are listed: all lie from `low` to `high`. None when that cannot be
/// said.
pub fn range(reduction: &Reduction, low: &str, high: &str) -> Option<String> {
    let bound = |key: &str| match said(key, reduction.canonical) {
        Key::Literal(text) => Some(reduction.literal.replace("{}", &text)),
        // The column's own bounds would do, but then little is left out.
        Key::Nothing | Key::Unsaid => None,
    };
    let (low, high) = (bound(low)?, bound(high)?);
    let column = &reduction.quoted;
    let told = format!("{column} >= {low} AND {column} <= {high}");
    reduction.ranges.then(|| match &reduction.unless {
        Some(alternative) => format!("({told} OR {alternative})"),
        None => format!("({told})"),
    })
}

fn said(key: &str, kind: CanonicalType) -> Key {
    let or_nothing = |text: Option<String>| text.map_or(Key::Nothing, Key::Literal);
    let or_unsaid = |text: Option<String>| text.map_or(Key::Unsaid, Key::Literal);
    let (sign, magnitude) = key.strip_prefix('-').map_or(("", key), |m| ("-", m));
    let signed = |text: Option<String>| text.map(|t| format!("{sign}{t}"));
    match kind.family() {
        Family::Integer => or_nothing(signed(literal::integer(magnitude, kind, !sign.is_empty()))),
        Family::Decimal => {
            let magnitude = if magnitude.contains('.') { magnitude.trim_end_matches('0').trim_end_matches('.') } else { magnitude };
            or_nothing(signed(literal::decimal(magnitude, kind)))
        }
        Family::Date => or_unsaid(literal::date(key)),
        Family::Timestamp => or_unsaid(literal::timestamp(key)),
        Family::Text => or_unsaid(key.chars().all(|c| c != '\\' && !c.is_control()).then(|| key.replace('\'', "''"))),
        Family::Bool | Family::Float | Family::Other => Key::Unsaid,
    }
}

/// What a source is asked to estimate a statement, and where the answer stands.
pub fn estimate(query: &str, of: &Estimate) -> String {
    of.sql.replace("{query}", query)
}

/// The rows in a source's answer.
pub fn estimated(answer: &str, of: &Estimate) -> Option<u64> {
    let number = |value: &serde_json::Value| match value {
        serde_json::Value::Number(n) => n.as_f64(),
        serde_json::Value::String(s) => s.trim().parse().ok(),
        _ => None,
    };
    if of.rows.is_empty() {
        return answer.trim().parse().ok();
    }
    let document: serde_json::Value = serde_json::from_str(answer).ok()?;
    let first = |paths: &[String]| paths.iter().find_map(|p| document.pointer(p).and_then(number));
    let rows = first(&of.rows)?;
    let share = first(&of.percent).map_or(1.0, |p| p / 100.0);
    let rows = rows * share;
    (rows.is_finite() && rows >= 0.0).then_some(rows.ceil() as u64)
}
