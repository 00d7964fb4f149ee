//! Expressions over groups: computed at home of the keys and aggregates that the source gives.
//!
//! Legality:
//! 0. There is something to group: a key or an aggregate. GROUP BY ALL: what has no aggregate is a column.
//! 1. An expression of the list, or what HAVING asks and the source is not told, has the value of the same expression over
//!    columns with the values and types of its aggregates and keys. Everything it reads is one of these.
//! 2. Only forms that say of one row what they say of one group: operators, CASE, casts and functions of a list that are
//!    aggregates in no dialect. Any other function might be one.
//! 3. An average takes the place that the model's sheet gives it: some have more digits inside an expression, and to sort by,
//!    than alone in the list.
//! 4. A name in HAVING that is a column's and the list's too means one or the other by dialect: it stays.

use super::aggregates::{Made, aggregate};
use super::number::arguments;
use super::remote::{Around, Out, Remote};
use super::verdict::Verdict;
use crate::bind::column;
use crate::dialect::DialectSheet;
use crate::meaning::Average;
use crate::translate::as_decimal;
use crate::types::CanonicalType;
use sqlparser::ast::{BinaryOperator as Op, CastKind, Expr, Select, SelectItem, UnaryOperator, Value};

/// What is made at home of what a source answers.
#[derive(Clone)]
pub struct Home {
    /// Text and name of each column, in the model's words.
    pub list: Vec<(String, String)>,
    /// What is left of HAVING.
    pub asked: Vec<String>,
    /// Whether a column is rounded that the model's dialect sorts by all its digits.
    pub rounded: bool,
}

/// Functions of values.
pub const PLAIN: [&str; 11] = ["coalesce", "nullif", "ifnull", "round", "abs", "ceil", "ceiling", "floor", "greatest", "least", "sign"];

/// The columns that a source gives of its groups.
pub struct Groups<'x> {
    remote: &'x Remote<'x>,
    source: &'x DialectSheet,
    around: &'x Around<'x>,
    /// With the text that they have in the model.
    keys: &'x [(Out, String)],
    /// Aliases and what they stand for, while HAVING is read.
    aliases: Vec<(String, &'x Expr)>,
    pub columns: Vec<Out>,
    /// As in [`Home`].
    pub rounded: bool,
    /// How many aggregates expressions have read.
    pub aggregates: usize,
}

impl<'x> Groups<'x> {
    pub fn new(remote: &'x Remote<'x>, source: &'x DialectSheet, around: &'x Around<'x>, keys: &'x [(Out, String)]) -> Self {
        Self { remote, source, around, keys, aliases: Vec::new(), columns: Vec::new(), rounded: false, aggregates: 0 }
    }

    pub fn aggregate(&self, expr: &Expr) -> Option<Made> {
        match expr {
            Expr::Function(f) => aggregate(self.remote, f, self.around, self.source),
            _ => None,
        }
    }

    /// The key that an expression is.
    pub fn key(&self, expr: &Expr) -> Option<Out> {
        let here = self.around.here(expr);
        let text = expr.to_string();
        let is = |(key, said): &&(Out, String)| here.map_or(*said == text, |column| column.sql == key.sql);
        self.keys.iter().find(is).filter(|(key, _)| key.schema.canonical.is_some()).map(|(key, _)| key.clone())
    }

    /// Takes a column that the list gives as it is; its place.
    pub fn listed(&mut self, out: Out, name: String) -> Option<usize> {
        self.columns.push(Out { schema: crate::catalog::ColumnSchema { name, ..out.schema }, ..out });
        Some(self.columns.len() - 1)
    }

    /// A column in the model's words, of the model's type.
    pub fn text(&self, at: usize) -> String {
        let out = &self.columns[at];
        let name = self.remote.sheet.quote(&out.schema.name);
        out.cast.as_ref().map_or_else(|| name.clone(), |kind| format!("cast({name} as {kind})"))
    }

    /// A column that only expressions read.
    fn read(&mut self, out: Out) -> String {
        let known = self.columns.iter().position(|c| c.sql == out.sql && c.cast == out.cast);
        let at = known.or_else(|| self.listed(out, format!("dvt_group_{}", self.columns.len())));
        self.text(at.unwrap_or_default())
    }

    /// Clauses 1 to 3. `alone`: nothing stands around it.
    pub fn computed(&mut self, expr: &'x Expr, alone: bool) -> Option<String> {
        if column(expr).is_some() {
            return self.named(expr);
        }
        if let Some(key) = self.key(expr) {
            return Some(self.read(key));
        }
        Some(match expr {
            Expr::Nested(inner) => format!("({})", self.computed(inner, alone)?),
            Expr::Value(v) => match &v.value {
                Value::Number(..) | Value::Boolean(_) | Value::Null => v.value.to_string(),
                Value::SingleQuotedString(text) if !text.contains(['\'', '\\']) => v.value.to_string(),
                _ => return None,
            },
            Expr::UnaryOp { op: op @ (UnaryOperator::Minus | UnaryOperator::Plus | UnaryOperator::Not), expr: inner } => format!("{op} {}", self.computed(inner, false)?),
            Expr::BinaryOp { left, op, right } if plain(op) => format!("{} {op} {}", self.computed(left, false)?, self.computed(right, false)?),
            Expr::IsNull(inner) => format!("{} IS NULL", self.computed(inner, false)?),
            Expr::IsNotNull(inner) => format!("{} IS NOT NULL", self.computed(inner, false)?),
            Expr::Between { expr: tested, negated, low, high } => {
                let (tested, low, high) = (self.computed(tested, false)?, self.computed(low, false)?, self.computed(high, false)?);
                format!("{tested} {}BETWEEN {low} AND {high}", if *negated { "NOT " } else { "" })
            }
            Expr::InList { expr: tested, list, negated } => {
                let tested = self.computed(tested, false)?;
                format!("{tested} {}IN ({})", if *negated { "NOT " } else { "" }, self.all(list)?.join(", "))
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                let mut sql = String::from("CASE");
                if let Some(operand) = operand {
                    sql += &format!(" {}", self.computed(operand, false)?);
                }
                for when in conditions {
                    sql += &format!(" WHEN {} THEN {}", self.computed(&when.condition, false)?, self.computed(&when.result, false)?);
                }
                if let Some(otherwise) = else_result {
                    sql += &format!(" ELSE {}", self.computed(otherwise, false)?);
                }
                sql + " END"
            }
            Expr::Cast { kind: kind @ (CastKind::Cast | CastKind::DoubleColon), expr: inner, data_type, format: None, .. } => {
                let inner = self.computed(inner, false)?;
                if *kind == CastKind::Cast { format!("CAST({inner} AS {data_type})") } else { format!("({inner})::{data_type}") }
            }
            Expr::Function(f) => match self.aggregate(expr) {
                Some(made) => {
                    self.aggregates += 1;
                    match made {
                        Made::Whole(out) => self.read(out),
                        Made::Average { sum, count, of } => self.average(sum, count, of, alone)?,
                    }
                }
                None => {
                    let name = f.name.to_string();
                    let of_values = PLAIN.iter().any(|p| name.eq_ignore_ascii_case(p));
                    if !self.remote.rules.legal(Verdict::GroupValues, of_values) {
                        return None;
                    }
                    let mut list = Vec::new();
                    for arg in arguments(f)? {
                        list.push(self.computed(arg, false)?);
                    }
                    format!("{name}({})", list.join(", "))
                }
            },
            _ => return None,
        })
    }

    fn all(&mut self, list: &'x [Expr]) -> Option<Vec<String>> {
        list.iter().map(|e| self.computed(e, false)).collect()
    }

    /// A key, or in HAVING what an alias stands for (clause 4).
    fn named(&mut self, expr: &'x Expr) -> Option<String> {
        let alias = column(expr).and_then(|name| match name {
            [name] => self.aliases.iter().find(|(a, _)| a.eq_ignore_ascii_case(&name.value)).map(|(_, e)| *e),
            _ => None,
        });
        match (alias, column(expr)) {
            (Some(stands), Some([name])) => {
                if self.around.relations.known(&name.value) || column(stands).is_some() {
                    return None;
                }
                // What stands for itself would never end.
                let aliases = std::mem::take(&mut self.aliases);
                let said = self.computed(stands, false).map(|sql| format!("({sql})"));
                self.aliases = aliases;
                said
            }
            _ => {
                let key = self.key(expr)?;
                Some(self.read(key))
            }
        }
    }

    /// Clause 3.
    fn average(&mut self, sum: Out, count: Out, of: CanonicalType, alone: bool) -> Option<String> {
        let made = self.remote.sheet.meaning.as_ref()?.average.as_ref().filter(|a| alone || !a.alone)?;
        let text = average(made, of)?;
        self.rounded |= made.alone;
        let (sum, count) = (self.read(sum), self.read(count));
        Some(format!("({})", text.replace("{sum}", &sum).replace("{count}", &count)))
    }

    /// A part of HAVING, asked at home.
    pub fn condition(&mut self, expr: &'x Expr, select: &'x Select) -> Option<String> {
        self.aliases = select
            .projection
            .iter()
            .filter_map(|i| match i {
                SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.clone(), expr)),
                _ => None,
            })
            .collect();
        let said = self.computed(expr, false).map(|sql| format!("({sql})"));
        self.aliases.clear();
        said
    }
}

/// How an average of such numbers is made of `{sum}` and `{count}`.
pub fn average(made: &Average, of: CanonicalType) -> Option<String> {
    let (p, s) = as_decimal(of)?;
    let (precision, scale) = ((p + made.more).min(38), s + made.more);
    Some(made.text.replace("{precision}", &precision.to_string()).replace("{scale}", &scale.to_string()))
}

/// Operators that are the same of one row.
fn plain(op: &Op) -> bool {
    matches!(
        op,
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo | Op::DuckIntegerDivide | Op::MyIntegerDivide | Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq | Op::And | Op::Or
    )
}
