//! Random queries in the words of several dialects: one seed and one dialect, one text.
//!
//! What the other generator has not: USING and NATURAL over all kinds of joins, relations read twice with other filters, filters
//! above windows, parts of set operations with rows of their own, NOT IN over NULL, correlated EXISTS of any comparison,
//! branches that would fail where they are not taken, DISTINCT ON. What a dialect has no words for is not said in it. Every
//! order with a LIMIT is one of all columns, so that the rows are fixed.
#![allow(dead_code)]

use super::generate::Random;
use super::TABLES;

/// A column in sight: how it is written, and its type.
#[derive(Clone)]
struct Column {
    name: String,
    kind: &'static str,
}

/// Pairs of tables with columns of one name and type, and which.
const SHARED: [(&str, &str, &[&str]); 4] = [("orders", "customers", &["id"]), ("customers", "stores", &["id"]), ("orders", "stores", &["id"]), ("items", "lines", &["order_id", "sku", "price"])];

struct Deeper {
    random: Random,
    dialect: &'static str,
    ctes: Vec<(String, Vec<Column>)>,
    aliases: usize,
}

/// The text of one seed in a dialect; `{orders}` stands for a relation.
pub fn query(seed: u64, dialect: &'static str) -> String {
    let mut g = Deeper { random: Random::new(seed), dialect, ctes: Vec::new(), aliases: 0 };
    let mut parts = Vec::new();
    for n in 0..g.random.below(4) {
        let (sql, columns) = g.rows(1);
        parts.push(format!("w{n} as ({sql})"));
        g.ctes.push((format!("w{n}"), columns));
    }
    let (sql, _) = g.rows(3);
    if parts.is_empty() { sql } else { format!("with {} {sql}", parts.join(", ")) }
}

fn columns_of(table: &str) -> Vec<Column> {
    let (_, columns, _) = TABLES.iter().find(|t| t.0 == table).unwrap();
    columns.split(", ").map(|c| c.split_once(' ').unwrap()).map(|(n, k)| Column { name: n.into(), kind: k }).collect()
}

fn qualified(alias: &str, columns: &[Column]) -> Vec<Column> {
    columns.iter().map(|c| Column { name: format!("{alias}.{}", c.name), kind: c.kind }).collect()
}

impl Deeper {
    fn is(&self, dialect: &str) -> bool {
        self.dialect == dialect
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.random.below(n) == 0
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// Columns that every dialect compares alike: text of a loose collation and doubles have places of their own.
    fn plain(&self, scope: &[Column]) -> Vec<Column> {
        let plain: Vec<Column> = scope.iter().filter(|c| self.is("duckdb") || !matches!(c.kind, "text~" | "float64")).cloned().collect();
        if plain.is_empty() { scope.to_vec() } else { plain }
    }

    /// One of them; seldom of a type that the dialect's models are mostly refused for.
    fn pick(&mut self, scope: &[Column]) -> Column {
        let plain = self.plain(scope);
        let seldom: &[&str] = match self.dialect {
            "duckdb" => &[],
            "sqlite" => &["decimal(15;2)", "total", "bool"],
            _ => &["text"],
        };
        let often: Vec<Column> = plain.iter().filter(|c| !seldom.contains(&c.kind)).cloned().collect();
        if often.is_empty() || self.one_in(6) { self.random.pick(&plain).clone() } else { self.random.pick(&often).clone() }
    }

    /// Rows with columns c0, c1, …: a SELECT, a set operation, the first of an order, those that a window numbers.
    fn rows(&mut self, depth: usize) -> (String, Vec<Column>) {
        if depth == 0 {
            return self.select(0);
        }
        match self.random.below(9) {
            0 => self.united(depth),
            1 => {
                let (sql, columns) = self.rows(depth - 1);
                let alias = self.alias();
                let first = self.first(&columns);
                (format!("select * from ({sql}) {alias}{first}"), columns)
            }
            2 => self.numbered(depth),
            3 if matches!(self.dialect, "duckdb" | "postgres") => self.firsts(depth),
            4 | 5 => self.grouped(depth),
            _ => self.select(depth),
        }
    }

    /// An order of all columns and a number of rows.
    fn first(&mut self, columns: &[Column]) -> String {
        let mut keys: Vec<usize> = (1..=columns.len()).collect();
        let turn = self.random.below(keys.len());
        keys.rotate_left(turn);
        let keys: Vec<String> = keys.iter().map(|k| format!("{k}{}", self.random.pick(&["", " desc"]))).collect();
        let offset = if self.one_in(4) { format!(" offset {}", self.random.below(3)) } else { String::new() };
        format!(" order by {} limit {}{offset}", keys.join(", "), 1 + self.random.below(6))
    }

    fn united(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (left, columns) = self.select(depth - 1);
        let words: &[&str] = if self.is("sqlite") { &["union all", "union", "except", "intersect"] } else { &["union all", "union", "except", "intersect", "except all", "intersect all"] };
        let word = *self.random.pick(words);
        let (from, scope) = self.from(0);
        let list: Vec<String> = columns.iter().enumerate().map(|(n, c)| format!("{} as c{n}", self.value(&scope, c.kind))).collect();
        let right = format!("select {} from {from} where {}", list.join(", "), self.condition(&scope, 1));
        let limited = |g: &mut Self, sql: String| {
            if g.one_in(2) {
                return sql;
            }
            let (alias, first) = (g.alias(), g.first(&columns));
            format!("select * from ({sql}) {alias}{first}")
        };
        let (left, right) = (limited(self, left), limited(self, right));
        let (a, b) = (self.alias(), self.alias());
        (format!("select * from ({left}) {a} {word} select * from ({right}) {b}"), columns)
    }

    /// Rows that a window numbers, filtered above it by the number and by other columns.
    fn numbered(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (sql, columns) = self.rows(depth - 1);
        let (inner, outer) = (self.alias(), self.alias());
        let all: Vec<String> = columns.iter().map(|c| format!("{inner}.{}", c.name)).collect();
        let key = self.pick(&qualified(&inner, &columns)).name;
        let order: Vec<String> = all.iter().map(|c| format!("{c}{}", self.random.pick(&["", " desc"]))).collect();
        let window = *self.random.pick(&["row_number()", "rank()", "dense_rank()"]);
        let numbered = format!("select {inner}.*, {window} over (partition by {key} order by {}) as place, count(*) over (partition by {key}) as many from ({sql}) {inner}", order.join(", "));
        let (part, number) = (key.split_once('.').map_or(key.clone(), |k| k.1.to_owned()), 1 + self.random.below(3));
        let kind = columns.iter().find(|c| c.name == part).map_or("int64", |c| c.kind);
        let of_part = self.compared(&Column { name: format!("{outer}.{part}"), kind });
        let other = self.condition(&qualified(&outer, &columns), 1);
        let filter = *self.random.pick(&["{place} <= {n} and {p}", "{p}", "{p} and {o}", "{many} > 1 and {p}", "{place} = {n} or {p}"]);
        let filter = filter.replace("{place}", &format!("{outer}.place")).replace("{many}", &format!("{outer}.many")).replace("{n}", &number.to_string());
        let filter = filter.replace("{p}", &of_part).replace("{o}", &other);
        let list: Vec<String> = columns.iter().map(|c| format!("{outer}.{}", c.name)).collect();
        (format!("select {} from ({numbered}) {outer} where {filter}", list.join(", ")), columns)
    }

    /// DISTINCT ON, with an order of all columns.
    fn firsts(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (sql, columns) = self.rows(depth - 1);
        let alias = self.alias();
        let first = self.pick(&columns).name;
        let rest: Vec<String> = columns.iter().filter(|c| c.name != first).map(|c| format!("{}{}", c.name, self.random.pick(&["", " desc"]))).collect();
        let order = std::iter::once(first.clone()).chain(rest).collect::<Vec<_>>().join(", ");
        let filter = if self.one_in(2) { format!(" where {}", self.condition(&columns, 1)) } else { String::new() };
        let outer = self.alias();
        (format!("select * from (select distinct on ({first}) * from ({sql}) {alias}{filter} order by {order}) {outer}"), columns)
    }

    fn grouped(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (from, scope) = self.from(depth - 1);
        let keys: Vec<Column> = (0..self.random.below(3)).map(|_| self.pick(&scope)).filter(|c| c.kind != "float64").collect();
        let mut list: Vec<(String, &'static str)> = keys.iter().map(|k| (k.name.clone(), k.kind)).collect();
        for _ in 0..=self.random.below(2) {
            let of = self.pick(&scope);
            let name = &of.name;
            let mean = match self.dialect {
                "mysql" => "round(avg({}), 3)",
                "postgres" => "round(avg({}), 3)",
                _ => "sum({})",
            };
            let test = self.condition(&scope, 1);
            list.push(match (self.random.below(9), of.kind) {
                (0, _) => ("count(*)".to_owned(), "int64"),
                (5, "decimal(15;2)") if !self.is("sqlite") => (format!("sum(case when {test} then {name} else {} end)", self.random.pick(&["0", "0.00", "null", "-1.50"])), "total"),
                (6, "decimal(15;2)") if !self.is("sqlite") => (format!("sum({name} * {} - 1)", self.random.pick(&["(1 - 0.25)", "2", "-0.5", "coalesce(1.50, 0)"])), "total"),
                (7, "decimal(15;2)") if !self.is("sqlite") => (format!("coalesce(sum({name}), {}) * count(*) - 1", self.random.pick(&["0", "0.00"])), "total"),
                (8, _) => (format!("count(case when {test} then 1 end) {} count(*)", self.random.pick(&["+", "-", "*"])), "int64"),
                (5, _) => (format!("case when count(*) > 1 then 0 else count({name}) end"), "int64"),
                (1, kind) if kind != "text~" => (format!("count(distinct {name})"), "int64"),
                (2, "decimal(15;2)") if !self.is("sqlite") => (format!("sum({name})"), "total"),
                (3, "decimal(15;2)") if !self.is("sqlite") => (mean.replace("{}", name), "total"),
                (_, "text" | "text~" | "bool" | "float64") => (format!("count({name})"), "int64"),
                (4, kind) => (format!("max({name})"), kind),
                (_, kind) => (format!("min({name})"), kind),
            });
        }
        let group = if keys.is_empty() { String::new() } else { format!(" group by {}", keys.iter().map(|k| k.name.as_str()).collect::<Vec<_>>().join(", ")) };
        let having = match self.random.below(4) {
            0 if !keys.is_empty() => format!(" having {}", self.condition(&keys, 1)),
            1 => " having count(*) > 1".to_owned(),
            2 if self.one_in(2) => " having count(*) * 2 > 3 and min(1) = 1".to_owned(),
            _ => String::new(),
        };
        let filter = if self.one_in(3) { String::new() } else { format!(" where {}", self.condition(&scope, depth)) };
        Self::listed("", &list, &format!("from {from}{filter}{group}{having}"))
    }

    fn select(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (from, scope) = self.from(depth);
        let filter = if self.one_in(4) { String::new() } else { format!(" where {}", self.condition(&scope, depth.max(1))) };
        let distinct = if self.one_in(6) { "distinct " } else { "" };
        let mut list = Vec::new();
        for _ in 0..=self.random.below(4) {
            let column = self.pick(&scope);
            list.push(if self.one_in(4) { self.computed(&column) } else { (column.name, column.kind) });
        }
        Self::listed(distinct, &list, &format!("from {from}{filter}"))
    }

    fn listed(distinct: &str, list: &[(String, &'static str)], rest: &str) -> (String, Vec<Column>) {
        let columns = list.iter().enumerate().map(|(n, (_, kind))| Column { name: format!("c{n}"), kind }).collect();
        let list: Vec<String> = list.iter().enumerate().map(|(n, (sql, _))| format!("{sql} as c{n}")).collect();
        (format!("select {distinct}{} {rest}", list.join(", ")), columns)
    }

    /// An element of FROM without its alias, and its columns.
    fn relation(&mut self, depth: usize) -> (String, Vec<Column>) {
        match self.random.below(6) {
            0..=2 if !self.ctes.is_empty() => {
                let ctes = self.ctes.clone();
                self.random.pick(&ctes).clone()
            }
            3 if depth > 0 => {
                let (sql, columns) = self.rows(depth - 1);
                (format!("({sql})"), columns)
            }
            _ => {
                let name = self.random.pick(&TABLES).0;
                (format!("{{{name}}}"), columns_of(name))
            }
        }
    }

    fn item(&mut self, depth: usize) -> (String, Vec<Column>) {
        let alias = self.alias();
        let (sql, columns) = self.relation(depth);
        (format!("{sql} {alias}"), qualified(&alias, &columns))
    }

    fn join(&mut self) -> &'static str {
        let words: &[&str] = if self.is("mysql") { &["join", "left join", "right join"] } else { &["join", "left join", "right join", "full join"] };
        *self.random.pick(words)
    }

    /// Of relations by columns that they both have; in other dialects than the compute's only these are translated.
    fn join_by_name(&mut self) -> &'static str {
        if self.is("duckdb") || self.one_in(8) { self.join() } else { *self.random.pick(&["join", "left join"]) }
    }

    fn from(&mut self, depth: usize) -> (String, Vec<Column>) {
        match self.random.below(5) {
            0 => return self.named_alike(),
            1 => return self.merged(depth),
            _ => {}
        }
        let (mut sql, mut scope) = self.item(depth);
        for _ in 0..self.random.below(3) {
            let (right, columns) = self.item(depth.saturating_sub(1));
            let pairs: Vec<(String, String)> = self
                .plain(&scope)
                .iter()
                .flat_map(|l| self.plain(&columns).into_iter().filter(|r| r.kind == l.kind).map(|r| (l.name.clone(), r.name)).collect::<Vec<_>>())
                .collect();
            scope.extend(columns);
            if pairs.is_empty() {
                sql = format!("{sql} cross join {right}");
                continue;
            }
            let (l, r) = self.random.pick(&pairs).clone();
            let more = if self.one_in(2) { format!(" and {}", self.condition(&scope, 1)) } else { String::new() };
            sql = format!("{sql} {} {right} on {l} = {r}{more}", self.join());
        }
        (sql, scope)
    }

    /// Two tables by the columns that they both have, or by some of them.
    fn named_alike(&mut self) -> (String, Vec<Column>) {
        let (left, right, shared) = *self.random.pick(&SHARED);
        let (a, b) = (self.alias(), self.alias());
        let all = |table: &str| columns_of(table).iter().map(|c| c.name.clone()).collect::<Vec<_>>();
        let natural = self.one_in(if self.is("duckdb") { 2 } else { 12 }) && all(left).iter().filter(|c| all(right).contains(c)).count() == shared.len();
        let some = &shared[..=self.random.below(shared.len())];
        let join = self.join_by_name();
        let sql = if natural { format!("{{{left}}} {a} natural {join} {{{right}}} {b}") } else { format!("{{{left}}} {a} {join} {{{right}}} {b} using ({})", some.join(", ")) };
        let merged: Vec<&str> = if natural { shared.to_vec() } else { some.to_vec() };
        let mut scope: Vec<Column> = columns_of(left).into_iter().filter(|c| merged.contains(&c.name.as_str())).collect();
        scope.extend(qualified(&a, &columns_of(left)));
        scope.extend(qualified(&b, &columns_of(right)));
        (sql, scope)
    }

    /// Two or three relations by a column that each calls `k`.
    fn merged(&mut self, depth: usize) -> (String, Vec<Column>) {
        let kind = *self.random.pick(&["int64", "int64", "text", "decimal(15;2)", "date"]);
        let natural = self.one_in(if self.is("duckdb") { 2 } else { 12 });
        let mut scope = vec![Column { name: "k".into(), kind }];
        let mut sql = String::new();
        for n in 0..2 + self.random.below(2) {
            let (mut inner, mut columns) = self.item(depth.saturating_sub(1));
            // MariaDB 10.11 takes a literal of a derived table for itself where an outer join makes it NULL.
            while self.is("mysql") && columns.iter().all(|c| c.kind != kind) {
                (inner, columns) = self.item(0);
            }
            let (key, alias, other) = (self.value(&columns, kind), self.alias(), self.pick(&columns));
            let filter = if self.one_in(2) { format!(" where {}", self.condition(&columns, 1)) } else { String::new() };
            let part = format!("(select {key} as k, {} as a{n} from {inner}{filter}) {alias}", other.name);
            sql = match (n, natural) {
                (0, _) => part,
                (_, true) => format!("{sql} natural {} {part}", self.join_by_name()),
                (_, false) => format!("{sql} {} {part} using (k)", self.join_by_name()),
            };
            scope.push(Column { name: format!("{alias}.a{n}"), kind: other.kind });
            if self.one_in(3) {
                scope.push(Column { name: format!("{alias}.k"), kind });
            }
        }
        (sql, scope)
    }

    /// A value of that type: a column, a literal, or one that fits.
    fn value(&mut self, scope: &[Column], kind: &str) -> String {
        let alike: Vec<Column> = scope.iter().filter(|c| c.kind == kind).cloned().collect();
        if !alike.is_empty() && (self.is("mysql") || !self.one_in(10)) {
            return self.random.pick(&alike).name.clone();
        }
        let typed = match (self.dialect, kind) {
            ("duckdb" | "postgres", "date") => "cast(null as date)",
            ("duckdb" | "postgres", "timestamp") => "cast(null as timestamp)",
            ("duckdb" | "postgres", "int64") => "cast(null as bigint)",
            _ => return self.literal(kind),
        };
        if self.one_in(3) { typed.to_owned() } else { self.literal(kind) }
    }

    fn literal(&mut self, kind: &str) -> String {
        let all: &[&str] = match kind {
            "int64" | "int32" => &["0", "1", "2", "3", "5", "-1", "7"],
            "text" | "text~" => &["''", "'a'", "'A'", "'complete'", "'Complete'", "'ß'", "'it''s'", "'US'", "'Ann'"],
            "decimal(15;2)" | "total" => &["0", "10.50", "-0.01", "1.00", "7"],
            "date" => &["date '2024-01-01'", "date '2023-12-31'", "date '9999-12-31'", "date '2024-02-29'"],
            "timestamp" => &["timestamp '2024-01-01 00:00:00'", "timestamp '2024-03-31 02:30:00'"],
            "float64" => &["0.0", "1.5", "2.0"],
            _ => &["true", "false"],
        };
        let literal = *self.random.pick(all);
        if self.is("sqlite") { literal.trim_start_matches("date ").trim_start_matches("timestamp ").to_owned() } else { literal.to_owned() }
    }

    /// What is computed of a column; branches that would fail are not taken.
    fn computed(&mut self, column: &Column) -> (String, &'static str) {
        let name = &column.name;
        let halved = match self.dialect {
            "mysql" => "div",
            "duckdb" => "//",
            _ => "/",
        };
        match (column.kind, self.random.below(4)) {
            ("int64" | "int32", 0) => (format!("case when {name} <> 0 then 7 {halved} {name} else {name} end"), "whole"),
            ("int64" | "int32", 1) => (format!("case when {name} < 1000 and {name} > -1000 then {name} + 1 end"), "whole"),
            ("int64" | "int32", 2) if self.is("postgres") => (format!("case when {name} = 0 then 0 when 100 / {name} > 1 then 1 else 2 end"), "whole"),
            ("int64" | "int32", 2) if self.is("mysql") => (format!("{name} / 3"), "shares"),
            ("decimal(15;2)", 0) if self.is("mysql") => (format!("{name} / 100"), "cents"),
            ("decimal(15;2)", 1) if matches!(self.dialect, "mysql" | "postgres") => (format!("round({name} / 7, 3)"), "cents"),
            ("decimal(15;2)", 2) if self.is("mysql") => (format!("{name} / nullif({name}, 10.50)"), "shares"),
            ("decimal(15;2)", 3) if !self.is("sqlite") => (format!("coalesce({name}, 0) - 1.25"), "cents"),
            ("text", 0) if self.is("duckdb") => (format!("case when {name} = 'zz' then cast({name} as integer) else 0 end"), "whole"),
            ("text", 1) => (format!("coalesce({name}, 'none')"), "text"),
            ("date" | "timestamp", 0) => (format!("case when {name} is null then 1 else 0 end"), "whole"),
            (kind, _) => (name.clone(), kind),
        }
    }

    fn compared(&mut self, column: &Column) -> String {
        let name = &column.name;
        let ops: &[&str] = if column.kind.starts_with("text") && !self.is("duckdb") { &["=", "<>"] } else { &["=", "=", "<>", "<", "<=", ">", ">="] };
        match (column.kind, self.random.below(6)) {
            ("bool", _) if !self.one_in(3) => name.clone(),
            ("shares", _) | (_, 0) => format!("{name} is {}null", self.random.pick(&["", "not "])),
            (kind, 1) => {
                let list: Vec<String> = (0..=self.random.below(3)).map(|_| self.literal(kind)).collect();
                format!("{name} {}in ({}{})", self.random.pick(&["", "not "]), list.join(", "), if self.one_in(6) { ", null" } else { "" })
            }
            (kind, _) => format!("{name} {} {}", self.random.pick(ops), if matches!(kind, "whole" | "cents") { "1".to_owned() } else { self.literal(kind) }),
        }
    }

    fn condition(&mut self, scope: &[Column], depth: usize) -> String {
        let column = self.pick(scope);
        if depth == 0 {
            return self.compared(&column);
        }
        match self.random.below(9) {
            0 => format!("not ({})", self.condition(scope, depth - 1)),
            1 => format!("({} or {})", self.condition(scope, depth - 1), self.condition(scope, depth - 1)),
            2 | 3 => format!("({} and {})", self.condition(scope, depth - 1), self.condition(scope, depth - 1)),
            4 | 5 if depth > 1 => self.asked(&column, depth),
            6 => {
                let alike: Vec<Column> = scope.iter().filter(|c| c.kind == column.kind).cloned().collect();
                format!("{} {} {}", column.name, self.random.pick(&["=", "<>"]), self.random.pick(&alike).name)
            }
            7 if column.kind.starts_with("int") => format!("case when {0} = 0 then {1} else 10 {2} {0} > 1 end", column.name, if self.one_in(2) { "1 = 0" } else { "1 = 1" }, if self.is("mysql") { "div" } else { "/" }),
            _ => self.compared(&column),
        }
    }

    /// IN, NOT IN, EXISTS and NOT EXISTS, correlated by any comparison, one within another.
    fn asked(&mut self, outer: &Column, depth: usize) -> String {
        let (from, scope) = self.item(0);
        let not = *self.random.pick(&["", "not "]);
        let alike: Vec<Column> = self.plain(&scope).into_iter().filter(|c| c.kind == outer.kind).collect();
        let within = if self.one_in(3) { String::new() } else { self.condition(&scope, depth - 1) };
        if alike.is_empty() {
            return format!("{not}exists (select 1 from {from}{})", if within.is_empty() { String::new() } else { format!(" where {within}") });
        }
        let same = self.random.pick(&alike).name.clone();
        if self.one_in(2) {
            return format!("{} {not}in (select {same} from {from}{})", outer.name, if within.is_empty() { String::new() } else { format!(" where {within}") });
        }
        let op = if outer.kind.starts_with("text") { *self.random.pick(&["=", "<>"]) } else { *self.random.pick(&["=", "=", "<", ">=", "<>"]) };
        format!("{not}exists (select 1 from {from} where {same} {op} {}{})", outer.name, if within.is_empty() { String::new() } else { format!(" and {within}") })
    }
}
