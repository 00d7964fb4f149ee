//! Conditions in a source's words.
//!
//! Legality: each comparison must mean the same at the source (its sheet's `compare`, for the column's family, collation
//! and native type), and the literal must be exactly of the column's type. OR needs every branch; of AND the parts that
//! can be told are. LIKE: the model's tells capital letters from small ones, and the source's does (its sheet has `NOT LIKE`)
//! or lets more through; a part of a text, by both sheets' `part` (characters, from the first on; text of a binary collation
//! only, so that no blanks are added); without ESCAPE, and without a backslash in the pattern, which some take as one. What is told is exact, or a superset that the residual filters again.

use super::literal;
use super::predicate::{Predicate, Test};
use super::verdict::{Rules, Verdict};
use crate::PlanRequest;
use crate::bind::At;
use crate::catalog::{Collation, ColumnSchema};
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::residual::Table;
use crate::types::Family;
use sqlparser::ast::Expr;

pub struct Emitter<'a> {
    pub request: &'a PlanRequest<'a>,
    pub tables: &'a [Table],
    pub rules: &'a Rules,
}

/// A column in the source's words, and what it is.
pub type Told<'c> = (String, &'c ColumnSchema);

impl Emitter<'_> {
    /// A condition over the columns of a table's relation, or why it cannot be told.
    pub fn emit(&self, predicate: &Predicate, table: usize) -> Result<(String, PushClass), String> {
        let target = &self.tables[table].relation.target;
        let sheet = (self.request.target_dialect)(target).and_then(|d| self.request.sheets.get(&d).ok());
        let sheet = sheet.ok_or_else(|| format!("the dialect of `{target}` is not known"))?;
        let relation = self.request.catalog.relation(&self.tables[table].relation);
        let columns = relation.map_or(&[] as &[ColumnSchema], |r| r.columns.as_slice());
        self.said(predicate, &|at| columns.get(at.1).map(|c| (sheet.quote(&c.name), c)), sheet)
    }

    /// As `emit`, over columns that `of` knows.
    pub fn said<'c>(&self, predicate: &Predicate, of: &dyn Fn(At) -> Option<Told<'c>>, sheet: &DialectSheet) -> Result<(String, PushClass), String> {
        let joined = |parts: Vec<(String, PushClass)>, word: &str| {
            let class = parts.iter().map(|p| p.1).max().unwrap_or(PushClass::Exact);
            let list: Vec<&str> = parts.iter().map(|p| p.0.as_str()).collect();
            match list.as_slice() {
                [one] => ((*one).to_owned(), class),
                more => (format!("({})", more.join(word)), class),
            }
        };
        match predicate {
            Predicate::Opaque { .. } => Err("this form of condition is not known to mean the same in both".to_owned()),
            Predicate::Test { at, test, values } => {
                let column = of(*at).ok_or("its column is not known here")?;
                self.test(&column, *test, values, sheet)
            }
            Predicate::Cut { at, from, count, test, values } => {
                let (quoted, column) = of(*at).ok_or("its column is not known here")?;
                let template = self.cut(column, sheet).ok_or("parts of texts are not known to mean the same in both")?;
                let part = template.replace("{0}", &quoted).replace("{1}", &from.to_string()).replace("{2}", &count.to_string());
                self.compared(&part, &(quoted, column), *test, values, sheet)
            }
            Predicate::Pair { a, b, test } => {
                let unknown = "its column is not known here";
                let (a, b) = (of(*a).ok_or(unknown)?, of(*b).ok_or(unknown)?);
                let told = self.pair(&a, *test, &b, sheet);
                told.map(|sql| (sql, PushClass::Exact)).ok_or_else(|| format!("`{}` of two such columns is not known to mean the same in {}", test.words(), sheet.name))
            }
            Predicate::And(parts) => {
                let (mut said, mut failed) = (Vec::new(), None);
                for part in parts {
                    match self.said(part, of, sheet) {
                        Ok(one) => said.push(one),
                        Err(why) => failed = failed.or(Some(why)),
                    }
                }
                match failed {
                    Some(why) if said.is_empty() => Err(why),
                    Some(_) => {
                        let (sql, _) = joined(said, " AND ");
                        Ok((sql, PushClass::Superset))
                    }
                    None => Ok(joined(said, " AND ")),
                }
            }
            Predicate::Or(parts) => {
                let (mut said, mut failed) = (Vec::new(), None);
                for part in parts {
                    match self.said(part, of, sheet) {
                        Ok(one) => said.push(one),
                        Err(why) => failed = failed.or(Some(why)),
                    }
                }
                if said.is_empty() || !self.rules.legal(Verdict::EveryBranch, failed.is_none()) {
                    return Err(failed.unwrap_or_default());
                }
                Ok(joined(said, " OR "))
            }
        }
    }

    /// A comparison of two columns, or nothing where the source does not make it as the model does: of one type, as the
    /// sheet says; never doubles, text only where it says how (two collations may meet), cells of a type of their own not at all.
    pub fn pair(&self, a: &Told<'_>, test: Test, b: &Told<'_>, sheet: &DialectSheet) -> Option<String> {
        let words = test.words();
        let (x, y) = (a.1.canonical?, b.1.canonical?);
        let exact = |c: &ColumnSchema| sheet.comparison(c, words).is_ok_and(|(c, class)| class == PushClass::Exact && c.unless.is_none());
        let same = if x.family() == Family::Integer { y.family() == Family::Integer } else { x == y };
        let template = sheet.compare.get(&x.family()).and_then(|c| c.columns.as_deref());
        let said = template.is_some() || x.family() != Family::Text;
        let legal = same && said && exact(a.1) && exact(b.1);
        self.rules.legal(Verdict::JoinKey, legal).then(|| template.unwrap_or("{0} {op} {1}").replace("{op}", words).replace("{0}", &a.0).replace("{1}", &b.0))
    }

    /// How the source takes a part of a column's text, where the model takes the same.
    fn cut<'s>(&self, column: &ColumnSchema, sheet: &'s DialectSheet) -> Option<&'s str> {
        let of = |sheet: &'s DialectSheet| sheet.compare.get(&Family::Text)?.part.as_deref();
        let model = self.request.sheets.get(self.request.dialect).ok()?;
        let said = model.compare.get(&Family::Text).is_some_and(|c| c.part.is_some());
        let text = column.canonical.is_some_and(|k| k.family() == Family::Text) && column.collation == Collation::Binary;
        of(sheet).filter(|_| self.rules.legal(Verdict::SamePart, said && text))
    }

    /// Whether LIKE tells every letter from another in the model's dialect.
    fn like_is_exact(&self) -> bool {
        let Ok(model) = self.request.sheets.get(self.request.dialect) else { return false };
        match &model.meaning {
            Some(meaning) => meaning.like_exact == Some(true),
            // It runs as it is: what the product says of itself as a source holds.
            None => model.compare.get(&Family::Text).is_some_and(|c| c.operators.iter().any(|o| o == "NOT LIKE")),
        }
    }

    pub fn test(&self, told: &Told<'_>, test: Test, values: &[Expr], sheet: &DialectSheet) -> Result<(String, PushClass), String> {
        self.compared(&told.0, told, test, values, sheet)
    }

    /// `value`: the column, or what is made of it.
    fn compared(&self, value: &str, (quoted, column): &Told<'_>, test: Test, values: &[Expr], sheet: &DialectSheet) -> Result<(String, PushClass), String> {
        if let Test::Among { .. } = test {
            return Err("the keys are known only when another relation has been read".to_owned());
        }
        if matches!(test, Test::Null | Test::NotNull) {
            return Ok((format!("{value} {}", test.words()), PushClass::Exact));
        }
        let Some(kind) = column.canonical else {
            return Err(format!("the type {} of `{}` is not known here", column.native, column.name));
        };
        let as_operator = match test {
            Test::In => "=",
            Test::NotIn => "<>",
            other => other.words(),
        };
        if matches!(test, Test::Like | Test::NotLike) && !self.rules.legal(Verdict::ModelLike, self.like_is_exact()) {
            return Err("LIKE ignores case in the model".to_owned());
        }
        let (comparison, class) = sheet.judged(column, as_operator, self.rules)?;
        let mut printed = Vec::new();
        for expr in values {
            let plain = literal::plain(expr, kind);
            if !self.rules.legal(Verdict::PlainLiteral, plain.is_some()) {
                return Err(format!("`{expr}` is not a plain {kind} literal, so that a cast would lie between"));
            }
            // Only a test that turns the verdict around needs the text as it is.
            let text = plain.unwrap_or_else(|| expr.to_string().trim_matches('\'').to_owned());
            printed.push(comparison.literal.replace("{}", &text.replace("''", &sheet.quote_in_text)));
        }
        let list = printed.join(", ");
        let told = match test {
            Test::In | Test::NotIn => format!("{value} {} ({list})", test.words()),
            _ => format!("{value} {} {list}", test.words()),
        };
        Ok(match &comparison.unless {
            Some(alternative) => (format!("({told} OR {})", alternative.replace("{column}", quoted)), class),
            None => (told, class),
        })
    }
}
