//! The 63 expressions whose meanings were compared first: the 17 on which PostgreSQL and DuckDB differ, and 46 on which they
//! agree, of the kinds that models are full of; each in the words of four dialects.
#![allow(dead_code)]

use super::answers::{Answer, as_told};
use super::products::Planner;
use super::translated::placed;
use dvt_diagnostic::Code;

pub const DIALECTS: [&str; 4] = ["postgres", "mysql", "sqlite", "duckdb"];

/// PostgreSQL's words, then MySQL's, SQLite's and DuckDB's; `=`: the same words, `-`: it has none.
pub const EXPRESSIONS: [(&str, [&str; 3]); 63] = [
    ("7 / 2", ["=", "=", "="]),
    ("-7 / 2", ["=", "=", "="]),
    ("1 / 0", ["=", "=", "="]),
    ("1.0::float8 / 0", ["cast(1.0 as double) / 0", "cast(1.0 as real) / 0", "1.0::double / 0"]),
    ("1.0 / 3", ["=", "=", "="]),
    ("2.0 / 3 * 3", ["=", "=", "="]),
    ("avg(o.qty) over ()", ["=", "=", "="]),
    ("round(2.5::float8)", ["round(cast(2.5 as double))", "round(2.5)", "round(2.5::double)"]),
    ("substr('hello', -3)", ["=", "=", "="]),
    ("extract(dow from o.ordered)", ["dayofweek(o.ordered)", "strftime('%w', o.ordered)", "="]),
    ("date_trunc('week', o.ordered)", ["-", "date(o.ordered, 'weekday 0')", "="]),
    ("true = 1", ["=", "=", "="]),
    ("(select v.qty from {o} v order by v.qty desc limit 1)", ["=", "=", "="]),
    ("lower('İ')", ["=", "=", "="]),
    ("5 / 2::numeric", ["5 / cast(2 as decimal(10,0))", "5 / cast(2 as numeric)", "="]),
    ("to_char(o.ordered, 'YYYY')", ["date_format(o.ordered, '%Y')", "strftime('%Y', o.ordered)", "strftime(o.ordered, '%Y')"]),
    ("'1e3'::int", ["cast('1e3' as signed)", "cast('1e3' as integer)", "="]),
    ("7 % 3", ["=", "=", "="]),
    ("-7 % 3", ["=", "=", "="]),
    ("o.qty + 0", ["=", "=", "="]),
    ("1.10 + 2.05", ["=", "=", "="]),
    ("1.5 * 2", ["=", "=", "="]),
    ("abs(-5)", ["=", "=", "="]),
    ("round(2.567, 2)", ["=", "=", "="]),
    ("round(2.5)", ["=", "=", "="]),
    ("ceil(o.weight)", ["=", "=", "="]),
    ("floor(o.weight)", ["=", "=", "="]),
    ("power(2, 10)", ["=", "=", "="]),
    ("sqrt(16)", ["=", "=", "="]),
    ("sum(o.qty) over ()", ["=", "=", "="]),
    ("greatest(o.qty, 3)", ["=", "max(o.qty, 3)", "="]),
    ("least(o.qty, 3)", ["=", "min(o.qty, 3)", "="]),
    ("length('héllo')", ["=", "=", "="]),
    ("char_length('héllo')", ["=", "-", "length('héllo')"]),
    ("upper('abc')", ["=", "=", "="]),
    ("lower('ABC')", ["=", "=", "="]),
    ("trim('  a ')", ["=", "=", "="]),
    ("count(o.status) over ()", ["=", "=", "="]),
    ("replace('banana', 'a', 'o')", ["=", "=", "="]),
    ("substr('hello', 2, 3)", ["=", "=", "="]),
    ("left('hello', 2)", ["=", "-", "="]),
    ("right('hello', 2)", ["=", "-", "="]),
    ("o.status || 'b'", ["concat(o.status, 'b')", "=", "="]),
    ("o.status || null", ["concat(o.status, null)", "=", "="]),
    ("concat(o.status, null, 'b')", ["=", "=", "="]),
    ("position('l' in 'hello')", ["=", "instr('hello', 'l')", "="]),
    ("split_part('a,b', ',', 2)", ["substring_index('a,b', ',', 1)", "-", "="]),
    ("extract(year from o.ordered)", ["=", "cast(strftime('%Y', o.ordered) as integer)", "="]),
    ("sum(o.amount) over ()", ["=", "=", "="]),
    ("md5('a')", ["=", "-", "="]),
    ("o.status like 'C%'", ["=", "=", "="]),
    ("o.status = 'COMPLETE'", ["=", "=", "="]),
    ("o.status = 'complete '", ["=", "=", "="]),
    ("coalesce(null, o.qty)", ["=", "=", "="]),
    ("nullif(o.qty, 7)", ["=", "=", "="]),
    ("case when o.qty > 5 then 1 else 2 end", ["=", "=", "="]),
    ("o.qty = null", ["=", "=", "="]),
    ("o.status in ('complete', null)", ["=", "=", "="]),
    ("o.id not in (1, null)", ["=", "=", "="]),
    ("cast(2.5 as int)", ["cast(2.5 as signed)", "cast(2.5 as integer)", "="]),
    ("cast('12' as int)", ["cast('12' as signed)", "cast('12' as integer)", "="]),
    ("cast(o.ordered as timestamp)", ["cast(o.ordered as datetime)", "datetime(o.ordered)", "="]),
    ("o.ordered + interval '1 month'", ["o.ordered + interval 1 month", "date(o.ordered, '+1 month')", "="]),
];

/// The words of a dialect, by its place in [`DIALECTS`].
pub fn in_words(row: &(&'static str, [&'static str; 3]), dialect: usize) -> Option<&'static str> {
    match dialect.checked_sub(1).map_or("=", |i| row.1[i]) {
        "=" => Some(row.0),
        "-" => None,
        own => Some(own),
    }
}

/// A model of one expression.
pub fn alone(expression: &str) -> String {
    format!("select o.id as id, {expression} as x from {{o}} o left join {{c}} c on c.id = o.customer_id where o.id not in (3, 5)")
}

/// What becomes of an expression: `Ok` in a word, `Err` where an answer is silently another.
pub fn fate(planner: &Planner, expression: &str, dialect: &str, compute: &str, ours: &mut dyn FnMut(&str) -> Answer, truth: &mut dyn FnMut(&str) -> Answer) -> Result<&'static str, String> {
    let query = alone(expression);
    let sql = match planner.text(&query, dialect, compute) {
        Ok(sql) => sql,
        Err(e) if e.code == Code::NotTranslatable => return Ok("refused"),
        Err(e) => return Err(format!("{expression}: {e}")),
    };
    let seen = |answer: Answer| answer.map(|a| as_told(dialect, a));
    let (ours, theirs) = (seen(ours(&sql)), seen(truth(&placed(&query, "orders", "customers"))));
    match (&ours, &theirs) {
        (Ok(a), Ok(b)) if a == b => Ok("equal"),
        (Err(_), Err(_)) => Ok("fails in both"),
        (Err(_), Ok(_)) => Ok("stops"),
        _ => Err(format!("{expression} in {dialect}\n  sql:    {sql}\n  ours:   {ours:?}\n  theirs: {theirs:?}")),
    }
}
