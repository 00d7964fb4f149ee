//! What a dialect's constructs mean, as its sheet says it, and how a compute writes those meanings.
//!
//! A model's dialect names a meaning for each of its functions, operators and casts (`[meaning]`); a compute's dialect
//! gives the text that has that meaning there (`[compute]`). A meaning that one of the two does not name is not
//! translated. Meanings are words shared by the sheets; their list is in `plugins/README.md`.

use crate::types::{CanonicalType, Family};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How unquoted names are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fold {
    Lower,
    Upper,
    /// As written; compared without case.
    #[default]
    Kept,
}

/// Where NULL stands in an order that does not say so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Nulls {
    /// As the largest value: last ascending, first descending.
    High,
    /// As the smallest value: first ascending, last descending.
    Low,
    /// Last in both.
    Last,
}

/// What a fraction such as `1.5` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fraction {
    Decimal,
    Float,
}

/// A dialect as models are written in it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meaning {
    #[serde(default)]
    pub fold: Fold,
    pub nulls: Nulls,
    pub fraction: Fraction,
    /// Whole numbers without a fraction: the type of the smallest, and of those that do not fit it.
    pub whole: (CanonicalType, CanonicalType),
    /// Whether comparisons give truth values; else they give 0 and 1.
    pub truth: bool,
    /// Whether values that stand for one another (in CASE, COALESCE, UNION) keep a type each; else they get one in common.
    #[serde(default)]
    pub mixes: bool,
    /// Whether a whole number in the text takes the type of what it stands with, where it fits.
    #[serde(default)]
    pub adapts: bool,
    /// Whether LIKE tells capital letters from small ones; absent: LIKE is not translated.
    #[serde(default)]
    pub like_exact: Option<bool>,
    /// The character that LIKE takes as an escape when none is given.
    #[serde(default)]
    pub like_escape: Option<char>,
    /// Whether text compares by its bytes in `<` and ORDER BY too.
    #[serde(default)]
    pub order_by_bytes: bool,
    /// Whether a string in the text compares by its bytes.
    #[serde(default)]
    pub literals_binary: bool,
    /// Whether a function's column is called as the function, and a cast's as what it casts.
    #[serde(default)]
    pub names_functions: bool,
    /// Families beside equal ones whose values may be compared.
    #[serde(default)]
    pub across: Vec<(Family, Family)>,
    /// Type names in casts, in small letters and without their arguments. `decimal` and `text` take the arguments; without them
    /// a `decimal` keeps the digits that it has, a `decimal(18,3)` has these.
    #[serde(default)]
    pub types: BTreeMap<String, String>,
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// How an average of whole numbers and decimals is made of their sum and count; absent: it is not known.
    #[serde(default)]
    pub average: Option<Average>,
}

/// An average, from what a source has summed up and counted, in the dialect's own words.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Average {
    /// `{sum}`, a decimal of 38 digits, and `{count}`; `{precision}` and `{scale}`: the digits of what is averaged, and `more`.
    pub text: String,
    /// Digits behind the point that it has more than what is averaged.
    #[serde(default)]
    pub more: u8,
    /// Whether the text has its value only where it stands alone in a list: inside an expression an average has digits that a
    /// list rounds.
    #[serde(default)]
    pub alone: bool,
}

/// What one function, operator or cast means for arguments of some types.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `lower`, `+`, `cast`, `extract:year`, `date_trunc:month`, `trim:both`.
    pub name: Vec<String>,
    /// One an argument: families or types with `|` between, `fixed` (a decimal whose values all have the digits of its type), `zeros` (one of which only zeros may have fewer), `any`, `number`, `equal` (equal only with equal bytes),
    /// `ordered` (of one order everywhere), `natural`, `count`, `nonzero` and `finite` (a whole number in the text: of
    /// 1 or more, of 0 or more, other than 0, of which 10,000 is a multiple), `rest` (a decimal with more digits than its query gives out), `open` (one of which only those and the next are known), `string` and `nonempty` (a string in the text);
    /// `...` behind the last: any number of them. A string before them in the call stands behind the name, with `:`.
    pub args: Vec<String>,
    /// Results of decimals that all have at most so many digits have no more either.
    #[serde(default)]
    pub short: Option<u8>,
    /// Whether arguments that are no text are cast to it before, as the dialect does it.
    #[serde(default)]
    pub as_text: bool,
    /// For casts: the families to which.
    #[serde(default)]
    pub to: Option<String>,
    /// A canonical type, `free` before a decimal one whose values have digits of their own, or `same` (the first argument's), `common` (what all have in common),
    /// `wider` (the widest whole number's), `wide` (the dialect's widest), `sum`, `product`, `total`, `rounded` (of
    /// decimals, the last to a number in the text), `digits` (as many behind the point as a number in the text
    /// says), `four more` (digits than the first argument has), `quotient` (computed by groups of nine digits, given out
    /// with four more than the first argument has), `asked`.
    pub gives: String,
    pub means: String,
}

/// Values with names, in an expression. Without it a text that mentions its argument twice doubles with each nesting.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Once {
    /// One value: `{value}` the expression, `{i}` its number. Commas stand between several.
    pub value: String,
    /// How `text` names the value `{i}`.
    pub name: String,
    /// The whole: `{values}`, and `{text}`, in which they have names.
    pub text: String,
}

/// A dialect as a compute runs it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Writes {
    /// Names of canonical types; `decimal` gets its arguments.
    pub types: BTreeMap<String, String>,
    /// Meaning to text: `{0}`, `{1}` … the arguments, `{all}` all of them, `{chain}` with `||` between,
    /// `{constant}` what stands behind the name's
    /// `:`, `{type}` the result's type, `{wide}` the first
    /// argument as a decimal of as many digits as the result has; of a `quotient` `{shift}` and `{unit}`: a power of ten for the dividend
    /// without its point, and what the last digit is worth. Of aggregates and
    /// windows: `{distinct}`, `{order}` and `{over}` for what stands in and behind the call; `{ordered}` is `{over}` of a
    /// function that needs an order there. A meaning with `:` and what stands behind the name's goes before one without.
    pub text: BTreeMap<String, String>,
    /// Functions that `text` calls, and the statement that makes each in a session.
    #[serde(default)]
    pub functions: BTreeMap<String, String>,
    /// How a text that mentions long arguments several times has each of them computed once.
    #[serde(default)]
    pub once: Option<Once>,
    /// Whether a backslash in a string escapes what follows it.
    #[serde(default)]
    pub backslashes: bool,
    /// Before every string.
    #[serde(default)]
    pub before_text: String,
    /// An interval of `{months}`, `{days}` and `{seconds}`; absent: `INTERVAL '1 month'`.
    #[serde(default)]
    pub interval: Option<String>,
    /// The character that LIKE takes as an escape when none is said.
    #[serde(default)]
    pub like_escape: Option<char>,
    /// Types that values have inside a query and lose in its result.
    #[serde(default)]
    pub inner: Vec<String>,
    /// What it has not: `distinct on`, `materialized`, `filter`, `filter over`, `truth` (as values), `is true`,
    /// `is distinct from`, `using`, `nulls order`, `values`, `column aliases`, `all` (of EXCEPT and INTERSECT),
    /// `interval`, `backslash` (in strings, unread), `equal text` (that is equal only with equal bytes).
    #[serde(default)]
    pub lacks: Vec<String>,
    /// Behind a query: for rows alone, for an offset alone, for both.
    #[serde(default = "usual_paging")]
    pub paging: [String; 3],
    /// An order for what has none, where `paging` needs one.
    #[serde(default)]
    pub any_order: Option<String>,
    /// Between a relation and its alias.
    #[serde(default = "usual_as")]
    pub relation_as: String,
    /// A FROM for what has none.
    #[serde(default)]
    pub nowhere: String,
    /// Behind UNION, EXCEPT and INTERSECT that keep no duplicates.
    #[serde(default)]
    pub distinct_sets: String,
    #[serde(default = "usual_except")]
    pub except: String,
}

fn usual_paging() -> [String; 3] {
    ["LIMIT {rows}", "OFFSET {offset}", "LIMIT {rows} OFFSET {offset}"].map(str::to_owned)
}

fn usual_as() -> String {
    " AS ".to_owned()
}

fn usual_except() -> String {
    "EXCEPT".to_owned()
}

impl Writes {
    /// What makes the functions that a text calls.
    pub fn setup(&self, sql: &str) -> Vec<String> {
        self.functions.iter().filter(|(name, _)| sql.contains(&format!("{name}("))).map(|(_, made)| made.clone()).collect()
    }
    /// How the compute calls a type.
    pub fn name(&self, kind: CanonicalType) -> Option<String> {
        if let CanonicalType::Decimal(p, s) = kind {
            return self.types.get("decimal").map(|name| format!("{name}({p},{s})"));
        }
        self.types.get(&kind.to_string()).cloned()
    }
    /// A string of a text.
    pub fn string(&self, text: &str) -> String {
        let text = if self.backslashes { text.replace('\\', "\\\\").replace('\'', "\\'") } else { text.replace('\'', "''") };
        format!("{}'{text}'", self.before_text)
    }
    pub fn has(&self, construct: &str) -> bool {
        !self.lacks.iter().any(|l| l == construct)
    }
}
