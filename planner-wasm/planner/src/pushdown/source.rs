//! Conditions in a source's words.
//!
//! Legality: each comparison must mean the same at the source (its sheet's `compare`, for the column's family, collation
//! and native type), and the literal must be exactly of the column's type. OR needs every branch; of AND the parts that
//! can be told are. What is told is exact, or a superset that the residual filters again.

use super::literal;
use super::predicate::{Predicate, Test};
use super::verdict::{Rules, Verdict};
use crate::PlanRequest;
use crate::catalog::ColumnSchema;
use crate::dialect::DialectSheet;
use crate::ir::PushClass;
use crate::residual::Table;
use sqlparser::ast::Expr;

pub struct Emitter<'a> {
    pub request: &'a PlanRequest<'a>,
    pub tables: &'a [Table],
    pub rules: &'a Rules,
}

impl Emitter<'_> {
    /// A condition over the columns of a table's relation, or why it cannot be told.
    pub fn emit(&self, predicate: &Predicate, table: usize) -> Result<(String, PushClass), String> {
        let target = &self.tables[table].relation.target;
        let sheet = (self.request.target_dialect)(target).and_then(|d| self.request.sheets.get(&d).ok());
        let sheet = sheet.ok_or_else(|| format!("the dialect of `{target}` is not known"))?;
        let relation = self.request.catalog.relation(&self.tables[table].relation);
        let columns = relation.map_or(&[] as &[ColumnSchema], |r| r.columns.as_slice());
        self.said(predicate, columns, sheet)
    }

    fn said(&self, predicate: &Predicate, columns: &[ColumnSchema], sheet: &DialectSheet) -> Result<(String, PushClass), String> {
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
                let column = columns.get(at.1).ok_or("its column is not known here")?;
                self.test(column, *test, values, sheet)
            }
            Predicate::And(parts) => {
                let (mut said, mut failed) = (Vec::new(), None);
                for part in parts {
                    match self.said(part, columns, sheet) {
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
                    match self.said(part, columns, sheet) {
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

    fn test(&self, column: &ColumnSchema, test: Test, values: &[Expr], sheet: &DialectSheet) -> Result<(String, PushClass), String> {
        let quoted = sheet.quote(&column.name);
        if matches!(test, Test::Null | Test::NotNull) {
            return Ok((format!("{quoted} {}", test.words()), PushClass::Exact));
        }
        let Some(kind) = column.canonical else {
            return Err(format!("the type {} of `{}` is not known here", column.native, column.name));
        };
        let as_operator = match test {
            Test::In => "=",
            Test::NotIn => "<>",
            other => other.words(),
        };
        let (comparison, class) = sheet.judged(column, as_operator, self.rules)?;
        let mut printed = Vec::new();
        for expr in values {
            let plain = literal::plain(expr, kind);
            if !self.rules.legal(Verdict::PlainLiteral, plain.is_some()) {
                return Err(format!("`{expr}` is not a plain {kind} literal, so that a cast would lie between"));
            }
            // Only a test that turns the verdict around needs the text as it is.
            let text = plain.unwrap_or_else(|| expr.to_string().trim_matches('\'').to_owned());
            printed.push(comparison.literal.replace("{}", &text));
        }
        let list = printed.join(", ");
        let told = match test {
            Test::In | Test::NotIn => format!("{quoted} {} ({list})", test.words()),
            _ => format!("{quoted} {} {list}", test.words()),
        };
        Ok(match &comparison.unless {
            Some(alternative) => (format!("({told} OR {})", alternative.replace("{column}", &quoted)), class),
            None => (told, class),
        })
    }
}
