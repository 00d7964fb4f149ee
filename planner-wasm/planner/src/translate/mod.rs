//! A query of one dialect as the text of another that means the same (SPEC T9).
//!
//! Legality: every construct is on a list. Names, joins, set operations, grouping, windows and CASE mean the same in all
//! dialects that have them and are written out with every name qualified and every NULL order said; a function,
//! an operator or a cast is written only by a rule of both sheets for the very types at hand; text is compared, grouped
//! or sorted only where its bytes decide. Anything else is DVT003 with its place. Nothing is passed on unread.

mod expression;
mod function;
mod kind;
mod query;
mod scope;
mod select;
mod special;

use crate::catalog::Catalog;
use crate::dialect::DialectSheet;
use crate::meaning::{Meaning, Writes};
use crate::parse::COMPILED;
use crate::ir::Residual;
use crate::residual::Table;
use crate::types::CanonicalType;
use dvt_diagnostic::{Code, Diagnostic, LineIndex, Span};
pub use kind::as_decimal;
use kind::{Form, Kind};
use scope::Scope;
pub use scope::folded;
use crate::walk::{Part, Watch};
use sqlparser::ast::{Expr, Ident, Query, TableFactor};
use std::ops::ControlFlow;

/// A query and what it is translated with.
pub struct Translation<'a> {
    /// The text that `query` was read from.
    pub sql: &'a str,
    pub query: &'a Query,
    pub tables: &'a [Table],
    pub catalog: &'a Catalog,
    pub model: &'a DialectSheet,
    pub compute: &'a DialectSheet,
}

impl Translation<'_> {
    /// The text for the compute, with scans in the place of relations.
    ///
    /// # Errors
    /// `DVT003` at the first construct whose meaning cannot be kept.
    pub fn text(&self) -> Result<Residual, Diagnostic> {
        let unknown = |sheet: &DialectSheet, what: &str| {
            let message = format!("the dialect `{}` does not say {what}, so that `{}` cannot be translated into `{}`", sheet.name, self.model.name, self.compute.name);
            Diagnostic::error(Code::NotTranslatable, message).hint(format!("write the model in the compute's dialect and say config(dialect='{}')", self.compute.name))
        };
        let meaning = self.model.meaning.as_ref().ok_or_else(|| unknown(self.model, "what its constructs mean"))?;
        let writes = self.compute.compute.as_ref().ok_or_else(|| unknown(self.compute, "how it writes others' meanings"))?;
        let translator = Translator { of: self, meaning, writes, index: LineIndex::new(self.sql) };
        let rows = translator.query(self.query, &Scope::default(), query::Place::Outermost)?;
        let passed = rows.columns.iter().filter_map(|c| Some((c.name.to_lowercase(), c.kind?.canonical()?))).collect();
        Ok(Residual { passed, ..Residual::new(writes.setup(&rows.sql), rows.sql) })
    }
}

struct Translator<'a> {
    of: &'a Translation<'a>,
    meaning: &'a Meaning,
    writes: &'a Writes,
    index: LineIndex,
}

/// An expression in the compute's words.
#[derive(Debug, Clone)]
struct Said {
    sql: String,
    kind: Kind,
    /// The value of a string in the text.
    string: Option<String>,
    /// A number in the text, whose type there may be another than here.
    number: Option<i128>,
    /// The outcome of a comparison, which is a number in some dialects.
    compared: bool,
}

impl Said {
    fn new(sql: impl Into<String>, kind: Kind) -> Self {
        Self { sql: sql.into(), kind, string: None, number: None, compared: false }
    }
    fn truth(sql: impl Into<String>) -> Self {
        Self { compared: true, ..Self::new(sql, Kind::of(CanonicalType::Bool)) }
    }
}

impl Translator<'_> {
    fn refuse(&self, at: &dyn Part, why: impl std::fmt::Display) -> Diagnostic {
        let message = format!("{why}; the model is written in `{}`, the compute runs `{}`", self.of.model.name, self.of.compute.name);
        let out = Diagnostic::error(Code::NotTranslatable, message)
            .hint(format!("write it in another way, or write the model in the compute's dialect and say config(dialect='{}')", self.of.compute.name));
        let mut first = First(None);
        at.show(&mut first);
        match first.0 {
            Some((line, column)) => out.at(Span::new(COMPILED, line, column)),
            None => out,
        }
    }

    fn quote(&self, name: &str) -> String {
        self.of.compute.quote(name)
    }

    fn type_name(&self, at: &dyn Part, kind: CanonicalType) -> Result<String, Diagnostic> {
        self.writes.name(kind).ok_or_else(|| self.refuse(at, format!("the compute has no type for {kind}")))
    }

    fn holds(&self, at: &dyn Part, column: &str, kind: CanonicalType) -> Result<(), Diagnostic> {
        match self.writes.name(kind) {
            Some(_) => Ok(()),
            None => Err(self.refuse(at, format!("the column `{column}` is of the type {kind}, for which the compute has none"))),
        }
    }

    /// The type that values have which stand for one another; None where they have none, or keep one each.
    fn common(&self, a: Kind, b: Kind) -> Option<Kind> {
        let mixed = |a: CanonicalType, b: CanonicalType| a.family() != b.family();
        match (a, b) {
            (Kind::Of(x, _), Kind::Of(y, _)) if self.meaning.mixes && mixed(x, y) => None,
            (Kind::Literal, Kind::Of(x, _)) | (Kind::Of(x, _), Kind::Literal) if self.meaning.mixes && x != CanonicalType::Text => None,
            _ => kind::common(a, b),
        }
    }

    /// The types of values that stand together: whole numbers of the text have the others' where the dialect adapts them.
    fn adapted(&self, values: &[Said]) -> Vec<Kind> {
        let bits = |v: &Said| match v.kind.canonical() {
            Some(CanonicalType::Int(bits)) if v.number.is_none() => Some(bits),
            _ => None,
        };
        let widest = values.iter().filter_map(bits).max().filter(|_| self.meaning.adapts);
        let fits = |v: &Said| widest.is_some_and(|bits| v.number.is_some_and(|n| n.unsigned_abs() < 1 << (bits - 1)));
        values.iter().map(|v| if fits(v) { widest.map_or(v.kind, |bits| Kind::of(CanonicalType::Int(bits))) } else { v.kind }).collect()
    }

    /// As a value of its own type: numbers and truth values of the text get the type that they have in the dialect.
    fn typed(&self, at: &dyn Part, said: Said) -> Result<Said, Diagnostic> {
        if said.compared && !self.writes.has("truth") {
            let kind = if self.meaning.truth { CanonicalType::Bool } else { self.meaning.whole.1 };
            let sql = format!("CAST(CASE WHEN {0} THEN 1 WHEN NOT {0} THEN 0 END AS {1})", said.sql, self.type_name(at, kind)?);
            return Ok(Said::new(sql, Kind::of(kind)));
        }
        if said.compared && !self.meaning.truth {
            let kind = self.meaning.whole.1;
            return Ok(Said::new(format!("CAST({} AS {})", said.sql, self.type_name(at, kind)?), Kind::of(kind)));
        }
        if let (Some(number), Kind::Of(kind, _)) = (said.number, said.kind) {
            // What the compute takes a whole number for.
            let there = if i32::try_from(number).is_ok() { CanonicalType::Int(32) } else { CanonicalType::Int(64) };
            if kind != there {
                return Ok(Said::new(format!("CAST({} AS {})", said.sql, self.type_name(at, kind)?), said.kind));
            }
        }
        Ok(Said { number: None, ..said })
    }

    /// As a value of `kind`, which holds all of its values.
    fn widened(&self, at: &dyn Part, said: Said, kind: Kind) -> Result<Said, Diagnostic> {
        match (said.kind, kind) {
            (Kind::Literal, Kind::Of(wanted, _)) if wanted != CanonicalType::Text => self.adopt(at, said, wanted),
            (Kind::Null | Kind::Literal, _) => Ok(Said { kind, ..said }),
            (Kind::Of(CanonicalType::Bool, _), _) if said.compared && !self.writes.has("truth") => self.typed(at, said),
            (Kind::Of(CanonicalType::Decimal(..), _), Kind::Of(CanonicalType::Float(64), _)) => self.as_double(at, said),
            (Kind::Of(have, _), Kind::Of(wanted, _)) if have != wanted => {
                Ok(Said::new(format!("CAST({} AS {})", said.sql, self.type_name(at, wanted)?), kind))
            }
            _ => self.typed(at, said),
        }
    }

    /// Whether equal values are those with equal bytes.
    fn by_bytes(&self, kind: Kind) -> bool {
        if kind.is_text() && !self.writes.has("equal text") {
            return false;
        }
        match kind {
            Kind::Literal => self.meaning.literals_binary,
            Kind::Of(CanonicalType::Text, form) => form == Form::Fixed,
            Kind::Of(CanonicalType::Json | CanonicalType::Interval, _) | Kind::Of(_, Form::Rest(..) | Form::Open(..)) => false,
            Kind::Null | Kind::Of(..) => true,
        }
    }

    /// Whether values have the same order in both dialects.
    fn ordered(&self, kind: Kind) -> bool {
        self.by_bytes(kind) && (!kind.is_text() || self.meaning.order_by_bytes)
    }
}

/// The place of the first name in a part of the query. Trees know the places of names and of little else.
struct First(Option<(u32, u32)>);

impl First {
    fn name(&mut self, ident: Option<&Ident>) -> ControlFlow<()> {
        match ident.map(|i| i.span.start).filter(|s| s.line > 0) {
            Some(start) => {
                self.0 = Some((start.line as u32, start.column as u32));
                ControlFlow::Break(())
            }
            None => ControlFlow::Continue(()),
        }
    }
}

impl Watch for First {
    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table { name, .. } => self.name(name.0.first().and_then(|p| p.as_ident())),
            _ => ControlFlow::Continue(()),
        }
    }
    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.name(Some(ident)),
            Expr::CompoundIdentifier(idents) => self.name(idents.first()),
            Expr::Function(f) => self.name(f.name.0.first().and_then(|p| p.as_ident())),
            _ => ControlFlow::Continue(()),
        }
    }
}
