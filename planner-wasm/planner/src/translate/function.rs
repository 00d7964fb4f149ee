//! Functions, operators, aggregates and windows by the rules of both sheets.

use super::kind::{Form, Kind, MOST_DIGITS, as_decimal, quotient};
use super::scope::Scope;
use super::{Said, Translator};
use crate::meaning::{Once, Rule};
use crate::types::CanonicalType;
use crate::walk::Part;
use dvt_diagnostic::Diagnostic;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, OrderByExpr, WindowFrame,
    WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

/// Letters of an argument that may stand several times in a text.
const SHORT: usize = 400;

/// What stands in and behind a call beside its arguments.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    /// What stands behind the name's `:`.
    pub constant: String,
    /// For casts: the type asked for.
    pub asked: Option<CanonicalType>,
    pub distinct: &'static str,
    pub order: String,
    pub over: String,
    /// As `over`, with an order wherever there is none.
    pub ordered: String,
}

impl Translator<'_> {
    /// A function, operator or cast by its rule.
    pub(super) fn apply(&self, at: &dyn Part, name: &str, args: Vec<Said>, call: &Call) -> Result<Said, Diagnostic> {
        let asked = |rule: &Rule| match (&rule.to, call.asked) {
            (None, _) => true,
            (Some(to), Some(kind)) => to.split('|').any(|t| self.is(t, &Said::new("", Kind::of(kind)))),
            (Some(_), None) => false,
        };
        let fits = |rule: &&Rule| {
            let rest = rule.args.last().is_some_and(|a| a.ends_with("..."));
            let arity = if rest { args.len() >= rule.args.len() } else { args.len() == rule.args.len() };
            let spec = |i: usize| rule.args.get(i).or(rule.args.last()).map_or("", |a| a.trim_end_matches("..."));
            rule.name.iter().any(|n| n == name) && arity && asked(rule) && args.iter().enumerate().all(|(i, a)| spec(i).split('|').any(|s| self.is(s, a)))
        };
        let shown = || {
            let kinds = args.iter().map(|a| a.kind.words()).collect::<Vec<_>>().join(", ");
            match call.asked {
                Some(kind) => format!("a cast from {kinds} to {kind}"),
                None => format!("`{name}` of ({kinds})"),
            }
        };
        let rule = self.meaning.rule.iter().find(fits).ok_or_else(|| {
            let refused = self.refuse(at, format!("{} has no rule", shown()));
            let own = args.iter().any(|a| matches!(a.kind, Kind::Of(CanonicalType::Decimal(..), form) if form != Form::Fixed));
            if own { refused.hint("say how many digits it has where it is made: round(…, 2), or a cast to numeric(15,2)") } else { refused }
        })?;
        let exact = self.writes.text.get(&format!("{}:{}", rule.means, call.constant));
        let template = exact.or_else(|| self.writes.text.get(&rule.means)).ok_or_else(|| self.refuse(at, format!("{}: the compute has nothing that means {}", shown(), rule.means)))?;
        for (part, hole, what) in [(call.distinct, "{distinct}", "DISTINCT"), (call.order.as_str(), "{order}", "ORDER BY"), (call.over.as_str(), "{over}", "OVER or FILTER")] {
            if !part.is_empty() && !template.contains(hole) && !(hole == "{over}" && template.contains("{ordered}")) {
                return Err(self.refuse(at, format!("{} with {what} has no rule", shown())));
            }
        }
        let args = if rule.as_text { args.into_iter().map(|a| self.as_text(at, a)).collect::<Result<Vec<_>, _>>()? } else { args };
        let (mut args, kind) = self.given(at, rule, args, call)?;
        if call.asked.is_none() && kind.canonical() == Some(CanonicalType::Float(64)) {
            args = args.into_iter().map(|a| self.as_double(at, a)).collect::<Result<Vec<_>, _>>()?;
        }
        let named = match kind {
            Kind::Of(kind, _) => self.type_name(at, kind)?,
            Kind::Null | Kind::Literal => String::new(),
        };
        let mut sql = template.clone();
        if sql.contains("{wide}") {
            let scale = args.first().and_then(|a| as_decimal(a.kind.canonical()?)).map(|(_, s)| s);
            let wide = match (kind.canonical(), scale) {
                (Some(CanonicalType::Decimal(p, _)), Some(s)) if s <= p => self.type_name(at, CanonicalType::Decimal(p, s))?,
                _ => return Err(self.refuse(at, format!("{} of other than decimals", rule.means))),
            };
            sql = sql.replace("{wide}", &format!("CAST({{0}} AS {wide})"));
        }
        if sql.contains("{shift}") {
            let count = Kind::of(CanonicalType::Int(64));
            let computed = args.first().and_then(|a| quotient(a.kind, args.get(1).map_or(count, |b| b.kind)));
            let of = computed.ok_or_else(|| self.refuse(at, format!("`{name}` with more digits than are computed alike")))?;
            sql = sql.replace("{shift}", &format!("1{:0>1$}", "", usize::from(of.shift))).replace("{unit}", &format!("0.{:0>1$}", 1, usize::from(of.scale)));
        }
        let once = self.once(&sql, &args);
        let values = once.map(|o| (o, std::mem::take(&mut args)));
        if let Some((once, values)) = &values {
            args = values.iter().enumerate().map(|(i, a)| Said { sql: once.name.replace("{i}", &i.to_string()), ..a.clone() }).collect();
        }
        // Behind marks first, so that nothing in an argument is taken for a hole.
        for i in 0..args.len() {
            sql = sql.replace(&format!("{{{i}}}"), &format!("\u{1}{i}\u{1}"));
        }
        let all: Vec<String> = (0..args.len()).map(|i| format!("\u{1}{i}\u{1}")).collect();
        sql = sql.replace("{all}", &all.join(", ")).replace("{chain}", &all.join(" || ")).replace("{type}", &named).replace("{constant}", &call.constant);
        sql = sql.replace("{distinct}", call.distinct).replace("{order}", "\u{1}order\u{1}").replace("{over}", "\u{1}over\u{1}").replace("{ordered}", "\u{1}ordered\u{1}");
        let mut out = String::new();
        for (i, piece) in sql.split('\u{1}').enumerate() {
            match (i % 2, piece) {
                (0, text) => out.push_str(text),
                (_, "order") => out.push_str(&call.order),
                (_, "over") => out.push_str(&call.over),
                (_, "ordered") => out.push_str(&call.ordered),
                (_, number) => out.push_str(number.parse().ok().and_then(|n: usize| args.get(n)).map_or("", |a| a.sql.as_str())),
            }
        }
        if let Some((once, values)) = values {
            let values = values.iter().enumerate().map(|(i, a)| once.value.replace("{i}", &i.to_string()).replace("{value}", &a.sql));
            let values = values.collect::<Vec<_>>().join(", ");
            // The part behind the values first: nothing in them is taken for a hole.
            out = once.text.split("{values}").map(|part| part.replace("{text}", &out)).collect::<Vec<_>>().join(&values);
        }
        Ok(Said::new(out, kind))
    }

    /// How the compute computes arguments once, where `template` would write long ones several times.
    fn once(&self, template: &str, args: &[Said]) -> Option<&Once> {
        // A subquery that stands twice may be asked twice.
        let long = |sql: &str| sql.len() > SHORT || sql.contains("(SELECT ");
        let many = |(i, a): (usize, &Said)| long(&a.sql) && template.matches(&format!("{{{i}}}")).count() > 1;
        // What stands in an aggregate is of other rows than what stands around it.
        let aggregate = ["{distinct}", "{order}", "{over}", "{ordered}"].iter().any(|hole| template.contains(hole));
        self.writes.once.as_ref().filter(|_| !aggregate && args.iter().enumerate().any(many))
    }

    /// A decimal that becomes a double, as the dialect makes one of it: many digits are rounded once.
    pub(super) fn as_double(&self, at: &dyn Part, said: Said) -> Result<Said, Diagnostic> {
        match said.kind.canonical() {
            Some(CanonicalType::Decimal(..)) if self.meaning.rule.iter().any(|r| r.means == "decimal_to_float") => self.apply(at, "cast", vec![said], &Call { asked: Some(CanonicalType::Float(64)), ..Call::default() }),
            _ => Ok(said),
        }
    }

    fn as_text(&self, at: &dyn Part, said: Said) -> Result<Said, Diagnostic> {
        let text = match said.kind {
            Kind::Literal | Kind::Of(CanonicalType::Text, _) => return Ok(said),
            Kind::Of(_, Form::Rest(..) | Form::Open(..)) => {
                let said = self.given_digits(at, said)?;
                return self.as_text(at, said);
            }
            Kind::Null => self.type_name(at, CanonicalType::Text)?,
            Kind::Of(..) => {
                let said = self.typed(at, said)?;
                return self.apply(at, "cast", vec![said], &Call { asked: Some(CanonicalType::Text), ..Call::default() });
            }
        };
        Ok(Said::new(format!("CAST(NULL AS {text})"), Kind::of(CanonicalType::Text)))
    }

    /// A decimal with more digits than its query gives out, as that gives it out.
    pub(super) fn given_digits(&self, at: &dyn Part, said: Said) -> Result<Said, Diagnostic> {
        let Some((precision, scale)) = said.kind.shown() else { return Ok(said) };
        let kind = CanonicalType::Decimal(precision, scale);
        Ok(Said::new(format!("CAST({} AS {})", said.sql, self.type_name(at, kind)?), Kind::of(kind)))
    }

    /// Whether an argument is what a rule asks for.
    fn is(&self, spec: &str, said: &Said) -> bool {
        use CanonicalType::{Bool, Bytes, Date, Decimal, Float, Int, Interval, Json, Text, Time, Timestamp, TimestampTz, UInt, Uuid};
        match (spec, said.kind) {
            ("natural", _) => said.number.is_some_and(|n| n >= 1),
            ("nonzero", _) => said.number.is_some_and(|n| n != 0),
            ("count", _) => said.number.is_some_and(|n| n >= 0),
            ("string", _) => said.string.is_some(),
            ("nonempty", _) => said.string.as_ref().is_some_and(|s| !s.is_empty()),
            ("finite", _) => said.number.is_some_and(|n| n != 0 && 10_000 % n == 0),
            ("rest", Kind::Of(_, form)) => matches!(form, Form::Rest(..)),
            ("open", Kind::Of(Decimal(_, s), form)) => matches!(form, Form::Open(_, shown) if s > shown),
            // Only rules that say so take numbers with more digits than they show.
            (_, kind) if kind.shown().is_some() => false,
            ("any", _) => true,
            ("equal", kind) => self.by_bytes(kind),
            ("ordered", kind) => self.ordered(kind),
            ("text", kind) if kind != Kind::Null => kind.is_text(),
            ("binary", kind) => kind.is_text() && self.by_bytes(kind),
            ("text", Kind::Null) => true,
            (_, Kind::Null | Kind::Literal) => false,
            ("number", Kind::Of(kind, _)) => matches!(kind, Int(_) | UInt(_) | Decimal(..) | Float(_)),
            ("integer", Kind::Of(kind, _)) => matches!(kind, Int(_)) || (matches!(kind, Bool) && !self.meaning.truth && said.compared),
            ("decimal", Kind::Of(kind, _)) => matches!(kind, Decimal(..)),
            ("zeros", Kind::Of(kind, form)) => matches!(kind, Decimal(..)) && form == Form::Zeros,
            ("fixed", Kind::Of(kind, form)) => matches!(kind, Decimal(..)) && form == Form::Fixed,
            ("float", Kind::Of(kind, _)) => matches!(kind, Float(_)),
            ("bool", Kind::Of(kind, _)) => kind == Bool,
            ("date", Kind::Of(kind, _)) => kind == Date,
            ("time", Kind::Of(kind, _)) => kind == Time,
            ("timestamp", Kind::Of(kind, _)) => kind == Timestamp,
            ("timestamptz", Kind::Of(kind, _)) => kind == TimestampTz,
            ("interval", Kind::Of(kind, _)) => kind == Interval,
            ("bytes", Kind::Of(kind, _)) => kind == Bytes,
            ("uuid", Kind::Of(kind, _)) => kind == Uuid,
            ("json", Kind::Of(kind, _)) => kind == Json,
            (other, Kind::Of(kind, _)) => kind != Text && other == kind.to_string(),
        }
    }

    /// The arguments as the rule's template takes them, and the type of the result.
    fn given(&self, at: &dyn Part, rule: &Rule, args: Vec<Said>, call: &Call) -> Result<(Vec<Said>, Kind), Diagnostic> {
        let decimals = |args: &[Said]| -> Option<Vec<(u8, u8)>> { args.iter().map(|a| as_decimal(a.kind.canonical()?)).collect() };
        let rest = args.iter().any(|a| a.kind.shown().is_some());
        let fitting = |precision: u8, scale: u8| {
            if scale > if rest { MOST_DIGITS } else { 38 } {
                return Err(self.refuse(at, format!("a scale of {scale} digits is more than the compute has")));
            }
            Ok(Kind::of(CanonicalType::Decimal(precision.min(38), scale)))
        };
        let of_text = |args: &[Said]| {
            let fixed = args.iter().filter(|a| a.kind.is_text()).all(|a| self.by_bytes(a.kind));
            Kind::Of(CanonicalType::Text, if fixed { Form::Fixed } else { Form::Free })
        };
        // What is computed from digits that only the values tell has such digits itself; so has what is from more than are shown.
        let shown = |a: &Said| a.kind.shown().or(as_decimal(a.kind.canonical()?));
        let as_digits = |args: &[Said], kind: Kind| match kind {
            Kind::Of(of @ CanonicalType::Decimal(..), _) if rest => {
                let all: Vec<(u8, u8)> = args.iter().filter_map(shown).collect();
                let (whole, most) = (all.iter().map(|(p, s)| p - s).max().unwrap_or(0), all.iter().map(|(_, s)| *s).max().unwrap_or(0));
                let (precision, scale) = match rule.gives.as_str() {
                    "product" => (all.iter().fold(0_u8, |n, (p, _)| n.saturating_add(*p)), all.iter().fold(0_u8, |n, (_, s)| n.saturating_add(*s))),
                    _ => (whole.saturating_add(most).saturating_add(1), most),
                };
                Kind::Of(of, Form::Rest(precision.min(38), scale))
            }
            Kind::Of(of, _) if args.iter().any(|a| matches!(a.kind, Kind::Of(CanonicalType::Decimal(..), Form::Free))) => Kind::Of(of, Form::Free),
            Kind::Of(of, _) if args.iter().any(|a| matches!(a.kind, Kind::Of(CanonicalType::Decimal(..), Form::Zeros))) => {
                // What a zero with fewer digits is added to must have them.
                let (decimals, wide) = (args.iter().filter_map(|a| a.kind.canonical()), args.iter().any(|a| matches!(a.kind, Kind::Of(_, Form::Wide))));
                let alike = decimals.clone().all(|k| matches!((k, of), (CanonicalType::Decimal(_, s), CanonicalType::Decimal(_, t)) if s == t));
                let kept = matches!(rule.gives.as_str(), "product" | "total") || (rule.gives == "sum" && alike);
                Kind::Of(of, if kept && !wide { Form::Zeros } else { Form::Free })
            }
            Kind::Of(of, _) if args.iter().any(|a| matches!(a.kind, Kind::Of(CanonicalType::Decimal(..), Form::Wide))) => Kind::Of(of, Form::Wide),
            kind => kind,
        };
        if rule.gives == "common" {
            return self.alike(at, args);
        }
        // Numbers that say how many or where stay as they are.
        let plain = |i: usize| matches!(rule.args.get(i).or(rule.args.last()).map(|a| a.trim_end_matches("...")), Some("natural" | "count"));
        let widths = self.adapted(&args);
        let args = args.into_iter().enumerate().map(|(i, a)| if plain(i) { Ok(a) } else { self.typed(at, a) }).collect::<Result<Vec<_>, _>>()?;
        let kind = match rule.gives.as_str() {
            "same" => match args.first().map(|a| a.kind) {
                Some(Kind::Literal) => of_text(&args),
                Some(kind) => kind,
                None => return Err(self.refuse(at, "a rule without arguments gives their type")),
            },
            "quotient" => {
                let count = Kind::of(CanonicalType::Int(64));
                let of = args.first().and_then(|a| quotient(a.kind, args.get(1).map_or(count, |b| b.kind)));
                of.ok_or_else(|| self.refuse(at, format!("`{}` with more digits than are computed alike", rule.means)))?.kind
            }
            "four more" => match decimals(&args[..1]).as_deref() {
                Some([(p, s)]) => match fitting(p.saturating_add(4), s.saturating_add(4))? {
                    Kind::Of(kind, _) if !args.iter().any(|a| matches!(a.kind, Kind::Of(_, Form::Free | Form::Zeros))) => Kind::Of(kind, Form::Wide),
                    Kind::Of(kind, _) => Kind::Of(kind, Form::Free),
                    kind => kind,
                },
                _ => return Err(self.refuse(at, format!("`{}` is not of decimals", rule.means))),
            },
            "asked" => match call.asked {
                Some(CanonicalType::Text) => of_text(&args),
                Some(kind) => Kind::of(kind),
                None => return Err(self.refuse(at, "a rule gives what was not asked for")),
            },
            "wide" => {
                let wide = Kind::of(self.meaning.whole.1);
                let args = args.into_iter().map(|a| self.widened(at, a, wide)).collect::<Result<Vec<_>, _>>()?;
                return Ok((args, wide));
            }
            "wider" => {
                let bits = widths.iter().filter_map(|k| match k.canonical() {
                    Some(CanonicalType::Int(bits)) => Some(bits),
                    _ => None,
                });
                let wide = Kind::of(CanonicalType::Int(bits.max().unwrap_or(64)));
                let args = args.into_iter().map(|a| self.widened(at, a, wide)).collect::<Result<Vec<_>, _>>()?;
                return Ok((args, wide));
            }
            "sum" | "product" => {
                let all = decimals(&args).ok_or_else(|| self.refuse(at, format!("`{}` is not of numbers", rule.means)))?;
                let short = rule.short.filter(|n| all.iter().all(|(p, _)| p <= n));
                let fitting = |precision: u8, scale: u8| fitting(precision.min(short.unwrap_or(38).max(scale)), scale);
                if rule.gives == "sum" {
                    let scale = all.iter().map(|(_, s)| *s).max().unwrap_or(0);
                    let whole = all.iter().map(|(p, s)| p - s).max().unwrap_or(0);
                    as_digits(&args, fitting(whole.saturating_add(scale).saturating_add(1), scale)?)
                } else {
                    as_digits(&args, fitting(all.iter().map(|(p, _)| *p).sum(), all.iter().map(|(_, s)| *s).sum())?)
                }
            }
            "rounded" => match (decimals(&args[..1]).as_deref(), args.get(1).map_or(Some(0), |a| a.number)) {
                (Some([(p, s)]), Some(to)) => as_digits(&args, fitting(*p, u8::try_from(to).unwrap_or(*s).min(*s))?),
                _ => return Err(self.refuse(at, format!("`{}` is not of decimals", rule.means))),
            },
            "digits" => match (decimals(&args[..1]).as_deref(), args.get(1).and_then(|a| a.number).map(u8::try_from)) {
                (Some([(p, s)]), Some(Ok(to))) => fitting((p - s).saturating_add(1).saturating_add(to), to)?,
                _ => return Err(self.refuse(at, format!("`{}` is not of decimals", rule.means))),
            },
            // All digits that there are, of the first argument's scale.
            "total" => as_digits(&args, fitting(38, decimals(&args[..1]).and_then(|d| d.first().map(|(_, s)| *s)).unwrap_or(0))?),
            free if free.starts_with("free ") => Kind::Of(free[5..].parse().map_err(|e: String| self.refuse(at, e))?, Form::Free),
            named => {
                let kind: CanonicalType = named.parse().map_err(|e: String| self.refuse(at, e))?;
                if kind == CanonicalType::Text { of_text(&args) } else { Kind::of(kind) }
            }
        };
        // Of digits that are not known, those that are given out are.
        let open = args.iter().filter(|a| matches!(a.kind, Kind::Of(_, Form::Open(..)))).filter_map(|a| a.kind.shown()).map(|(_, s)| s).min();
        if let (Some(most), Some(CanonicalType::Decimal(_, scale))) = (open, kind.canonical())
            && scale > most
        {
            return Err(self.refuse(at, format!("more than {most} digits of this quotient: they differ")));
        }
        Ok((args, kind))
    }

    pub(super) fn call(&self, at: &Expr, function: &Function, scope: &Scope<'_>) -> Result<Said, Diagnostic> {
        let Function { name, uses_odbc_syntax, parameters, args, within_group, filter, null_treatment, over } = function;
        let single = match name.0.as_slice() {
            [part] => part.as_ident().filter(|i| i.quote_style.is_none()),
            _ => None,
        };
        let plain = !uses_odbc_syntax && matches!(parameters, FunctionArguments::None) && within_group.is_empty() && null_treatment.is_none();
        let Some(ident) = single.filter(|_| plain) else {
            return Err(self.refuse(at, format!("this form of calling `{name}` is not translated")));
        };
        let mut called = ident.value.to_lowercase();
        let mut call = Call::default();
        let mut values = Vec::new();
        match args {
            FunctionArguments::None => {}
            FunctionArguments::Subquery(_) => return Err(self.refuse(at, format!("`{called}` of a subquery is not translated"))),
            FunctionArguments::List(list) => {
                for arg in &list.args {
                    match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => values.push(self.value(expr, scope)?),
                        FunctionArg::Unnamed(FunctionArgExpr::Wildcard) if list.args.len() == 1 => called.push_str(":*"),
                        _ => return Err(self.refuse(at, format!("an argument of `{called}` is not translated"))),
                    }
                }
                if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
                    if let Some(loose) = values.iter().find(|v| !self.by_bytes(v.kind)) {
                        return Err(self.refuse(at, format!("DISTINCT compares {} by more than its bytes", loose.kind.words())));
                    }
                    call.distinct = "DISTINCT ";
                }
                for clause in &list.clauses {
                    let FunctionArgumentClause::OrderBy(keys) = clause else {
                        return Err(self.refuse(at, format!("a clause inside `{called}` is not translated")));
                    };
                    call.order = format!(" ORDER BY {}", self.sort_keys(keys, scope)?);
                }
            }
        }
        // Some functions are as many as their first argument has words: `date_trunc('month', …)`.
        if let Some(word) = values.first().and_then(|v| v.string.clone()) {
            let special = format!("{called}:{}", word.to_lowercase());
            if self.meaning.rule.iter().any(|r| r.name.contains(&special)) {
                values.remove(0);
                call.constant = word.to_lowercase();
                called = special;
            }
        }
        if let Some(filter) = filter {
            if !self.writes.has("filter") {
                return Err(self.refuse(at, "the compute has no FILTER of aggregates"));
            }
            call.over = format!(" FILTER (WHERE {})", self.predicate(filter, scope)?);
            if over.is_some() && !self.writes.has("filter over") {
                return Err(self.refuse(at, "the compute has no FILTER of a window function"));
            }
        }
        match over {
            None => {}
            Some(WindowType::WindowSpec(spec)) => {
                call.ordered = format!("{}{}", call.over, self.window(at, spec, scope, true)?);
                call.over.push_str(&self.window(at, spec, scope, false)?);
            }
            Some(WindowType::NamedWindow(_)) => return Err(self.refuse(at, "named windows are not translated")),
        }
        self.apply(at, &called, values, &call)
    }

    fn sort_keys(&self, keys: &[OrderByExpr], scope: &Scope<'_>) -> Result<String, Diagnostic> {
        let mut out = Vec::new();
        for key in keys {
            let said = self.value(&key.expr, scope)?;
            self.sortable(&key.expr, said.kind, true)?;
            out.push(self.direction(key, said.sql)?);
        }
        Ok(out.join(", "))
    }

    fn window(&self, at: &Expr, spec: &WindowSpec, scope: &Scope<'_>, ordered: bool) -> Result<String, Diagnostic> {
        if spec.window_name.is_some() {
            return Err(self.refuse(at, "named windows are not translated"));
        }
        let mut parts = Vec::new();
        if !spec.partition_by.is_empty() {
            let mut keys = Vec::new();
            for key in &spec.partition_by {
                let said = self.value(key, scope)?;
                if !self.by_bytes(said.kind) {
                    return Err(self.refuse(key, format!("partitioning by {} compares more than its bytes", said.kind.words())));
                }
                // A bare number is no column's place here.
                keys.push(self.typed(key, said)?.sql);
            }
            parts.push(format!("PARTITION BY {}", keys.join(", ")));
        }
        if !spec.order_by.is_empty() {
            parts.push(format!("ORDER BY {}", self.sort_keys(&spec.order_by, scope)?));
        } else if ordered {
            // All rows are as one there.
            parts.push("ORDER BY NULL".to_owned());
        }
        if let Some(frame) = &spec.window_frame {
            parts.push(self.frame(at, frame)?);
        }
        Ok(format!(" OVER ({})", parts.join(" ")))
    }

    fn frame(&self, at: &Expr, frame: &WindowFrame) -> Result<String, Diagnostic> {
        let bound = |bound: &WindowFrameBound| -> Result<String, Diagnostic> {
            let (offset, word) = match bound {
                WindowFrameBound::CurrentRow => return Ok("CURRENT ROW".to_owned()),
                WindowFrameBound::Preceding(offset) => (offset, "PRECEDING"),
                WindowFrameBound::Following(offset) => (offset, "FOLLOWING"),
            };
            match offset {
                None => Ok(format!("UNBOUNDED {word}")),
                Some(n) if frame.units == WindowFrameUnits::Rows && n.to_string().bytes().all(|b| b.is_ascii_digit()) => Ok(format!("{n} {word}")),
                Some(_) => Err(self.refuse(at, "this frame of a window is not translated")),
            }
        };
        let units = match frame.units {
            WindowFrameUnits::Rows => "ROWS",
            WindowFrameUnits::Range => "RANGE",
            WindowFrameUnits::Groups => return Err(self.refuse(at, "GROUPS in a window is not translated")),
        };
        let start = bound(&frame.start_bound)?;
        Ok(match &frame.end_bound {
            None => format!("{units} {start}"),
            Some(end) => format!("{units} BETWEEN {start} AND {}", bound(end)?),
        })
    }
}
