//! Expressions of one column that a source computes, as keys of groups.
//!
//! Legality:
//! 1. A function of a column, with a string of the text before it or without, a field of it, or a cast, for which the model's
//!    sheet has a rule: so it is known what it means, and of which type it is.
//! 2. The source's sheet says how it computes that meaning of columns of that type (`[[computes]]`): value for value as the
//!    model does. The column has no type of its own in the text.
//! 3. As a key it is compared exactly ([`super::aggregates`], clause 1).

use super::aggregates::{made, takes};
use super::number::arguments;
use super::remote::{Around, Out, Remote};
use crate::catalog::ColumnSchema;
use crate::dialect::DialectSheet;
use crate::types::CanonicalType;
use sqlparser::ast::{CastKind, Expr, Value};

pub fn computed(remote: &Remote<'_>, expr: &Expr, around: &Around<'_>, source: &DialectSheet) -> Option<Out> {
    let meaning = remote.sheet.meaning.as_ref()?;
    let (mut name, mut constant, mut asked) = (String::new(), String::new(), None);
    let of = match expr {
        Expr::Nested(inner) => return computed(remote, inner, around, source),
        Expr::Extract { field, expr, .. } => {
            name += "extract";
            constant = field.to_string().to_lowercase();
            expr.as_ref()
        }
        Expr::Cast { kind: CastKind::Cast | CastKind::DoubleColon, expr, data_type, format: None, .. } => {
            name += "cast";
            asked = Some(meaning.types.get(&data_type.to_string().to_lowercase())?.as_str());
            expr.as_ref()
        }
        Expr::Function(f) => {
            name = f.name.to_string().to_lowercase();
            let mut args = arguments(f)?;
            if let [Expr::Value(first), _] = args.as_slice() {
                let Value::SingleQuotedString(text) = &first.value else { return None };
                constant = text.to_lowercase();
                args.remove(0);
            }
            let &[of] = args.as_slice() else { return None };
            of
        }
        _ => return None,
    };
    if !constant.is_empty() {
        name = format!("{name}:{constant}");
    }
    let column = around.input(of).filter(|c| c.cast.is_none())?;
    let kind = column.schema.canonical?;
    let text = kind.to_string();
    let fits = |args: &[String]| matches!(args, [arg] if takes(arg, &text, kind));
    let rule = meaning.rule.iter().find(|r| r.name.contains(&name) && fits(&r.args) && r.to.as_deref() == asked)?;
    let gives: CanonicalType = asked.unwrap_or(&rule.gives).parse().ok()?;
    let told = gives.to_string();
    let how = source.computes.iter().find(|c| c.means.contains(&rule.means) && takes(&c.of, &text, kind) && c.gives.as_ref().is_none_or(|g| *g == told))?;
    let out = made(how.sql.replace("{0}", &column.sql).replace("{constant}", &constant), gives);
    let called = if matches!(gives, CanonicalType::Decimal(..)) { "decimal" } else { told.as_str() };
    let native = source.computed.get(called).cloned().unwrap_or_default();
    Some(Out { leaf: column.leaf, schema: ColumnSchema { native, ..out.schema }, ..out })
}
