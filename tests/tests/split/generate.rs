//! Random queries over [`super::TABLES`]: one seed, one text, on every machine.
//!
//! Idea of SQLancer: text that is valid by construction, of shapes that planners get wrong. What one database answers that
//! holds all tables is the oracle; the partitions of a condition p, NOT p and p IS NULL come out of the generator by
//! themselves. No LIMIT without an order of all columns, no sums of doubles: their answers are not fixed. `query` is over the
//! first three tables and keeps its texts; `rich` is over all, and says more in each.
#![allow(dead_code)]

use super::TABLES;
use std::fmt::Write as _;

/// A column in sight: how it is written, and its type.
#[derive(Clone)]
struct Column {
    name: String,
    kind: &'static str,
}

/// Splitmix: all of the state is the seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x1234_5678_9ABC_DEF1))
    }
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap_or(0)
    }
    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
    pub fn pick<'p, T>(&mut self, all: &'p [T]) -> &'p T {
        let at = self.below(all.len());
        &all[at]
    }
}

pub struct Generator {
    random: Random,
    rich: bool,
    ctes: Vec<(String, Vec<Column>)>,
    aliases: usize,
}

/// The text of one seed; `{orders}` stands for a relation.
pub fn query(seed: u64) -> String {
    Generator::new(seed, false).query()
}

/// As `query`, with more in it.
pub fn rich(seed: u64) -> String {
    Generator::new(seed, true).query()
}

/// Two texts of one seed that answer alike (SQLancer's relations): a query and its parts by a condition p, NOT p and p IS NULL
/// (TLP), or the number of rows that p lets through and the number of rows for which p is true (NoREC).
pub fn alike(seed: u64) -> (String, String) {
    let mut g = Generator::new(seed, true);
    let (from, scope) = g.from(1);
    let p = g.predicate(&scope, 2, true);
    if g.random.one_in(2) {
        return (format!("select count(*) as n from {from} where {p}"), format!("select count(case when {p} then 1 end) as n from {from}"));
    }
    let list: Vec<String> = (0..=g.random.below(3)).map(|n| format!("{} as c{n}", g.random.pick(&scope).name)).collect();
    let list = list.join(", ");
    let part = |condition: &str| format!("select {list} from {from} where {condition}");
    (format!("select {list} from {from}"), [part(&p), part(&format!("not ({p})")), part(&format!("({p}) is null"))].join(" union all "))
}

impl Generator {
    fn new(seed: u64, rich: bool) -> Self {
        Self { random: Random::new(seed), rich, ctes: Vec::new(), aliases: 0 }
    }

    fn query(mut self) -> String {
        let g = &mut self;
        let mut head = String::new();
        for n in 0..g.random.below(3) {
            let depth = g.random.below(2);
            let (sql, columns) = g.rows(depth);
            let name = format!("w{n}");
            let _ = write!(head, "{}{name} as ({sql})", if n == 0 { "with " } else { ", " });
            g.ctes.push((name, columns));
        }
        let (mut sql, columns) = g.rows(2);
        if g.rich && g.random.one_in(4) && !sql.contains(" limit ") {
            sql = format!("select * from ({sql}) whole{}", g.first_rows(&columns));
        }
        if head.is_empty() { sql } else { format!("{head} {sql}") }
    }
}

impl Generator {
    /// Rows of any form: a SELECT or a set operation.
    fn rows(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (sql, columns) = self.select(depth);
        if depth == 0 || !self.random.one_in(5) {
            return (sql, columns);
        }
        let words: &[&str] = if self.rich { &["union all", "union", "except", "intersect", "except all", "intersect all"] } else { &["union all", "union", "except", "intersect", "union all"] };
        let word = *self.random.pick(words);
        let kinds: Vec<&'static str> = columns.iter().map(|c| c.kind).collect();
        let (from, scope) = self.from(0);
        let list: Vec<String> = kinds.iter().map(|k| self.value(&scope, k)).collect();
        let filter = if self.random.one_in(2) { format!(" where {}", self.predicate(&scope, 1, false)) } else { String::new() };
        (format!("{sql} {word} select {} from {from}{filter}", list.join(", ")), columns)
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// An element of FROM under a new alias.
    fn item(&mut self, depth: usize) -> (String, Vec<Column>) {
        let alias = self.alias();
        let (sql, columns) = match self.random.below(8) {
            0 | 1 if !self.ctes.is_empty() => {
                let (name, columns) = self.random.pick(&self.ctes.clone()).clone();
                (name, columns)
            }
            2 | 3 if depth > 0 => {
                let (sql, columns) = self.rows(depth - 1);
                (format!("({sql})"), columns)
            }
            4 if depth > 0 => {
                let (sql, columns) = self.select(0);
                let keys: Vec<String> = (1..=columns.len()).map(|n| n.to_string()).collect();
                if self.rich {
                    let first = self.first_rows(&columns);
                    (format!("(select * from ({sql}) whole{first})"), columns)
                } else {
                    (format!("({sql} order by {} limit {})", keys.join(", "), self.random.below(6)), columns)
                }
            }
            _ => {
                let (name, columns, _) = *self.random.pick(&TABLES[..if self.rich { TABLES.len() } else { 3 }]);
                let columns = columns.split(", ").map(|c| c.split_once(' ').unwrap()).map(|(n, k)| Column { name: n.into(), kind: k.trim_end_matches('~') });
                (format!("{{{name}}}"), columns.collect())
            }
        };
        let columns = columns.into_iter().map(|c| Column { name: format!("{alias}.{}", c.name), kind: c.kind }).collect();
        (format!("{sql} {alias}"), columns)
    }

    fn from(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (mut sql, mut scope) = self.item(depth);
        for _ in 0..self.random.below(3) {
            let (right, columns) = self.item(depth);
            let kind = *self.random.pick(&["join", "join", "left join", "left join", "right join", "full join", "semi join", "anti join", ","]);
            if kind == "," {
                // A product of three tables is large and tells little.
                sql = format!("{sql} cross join {right}");
                scope.extend(columns);
                continue;
            }
            let on = self.equality(&scope, &columns);
            let mut both = scope.clone();
            both.extend(columns.clone());
            let more = if self.random.one_in(2) { format!(" and {}", self.predicate(&both, 1, false)) } else { String::new() };
            sql = format!("{sql} {kind} {right} on {on}{more}");
            if !kind.starts_with("semi") && !kind.starts_with("anti") {
                scope = both;
            }
        }
        (sql, scope)
    }

    /// The first rows in an order of all columns.
    fn first_rows(&mut self, columns: &[Column]) -> String {
        let mut keys: Vec<usize> = (1..=columns.len()).collect();
        let turn = self.random.below(keys.len());
        keys.rotate_left(turn);
        let keys: Vec<String> = keys.iter().map(|k| format!("{k}{}", self.random.pick(&["", " desc", " nulls first", " desc nulls last", " asc"]))).collect();
        let offset = if self.random.one_in(4) { format!(" offset {}", self.random.below(3)) } else { String::new() };
        format!(" order by {} limit {}{offset}", keys.join(", "), self.random.below(7))
    }

    fn equality(&mut self, left: &[Column], right: &[Column]) -> String {
        let mut pairs = Vec::new();
        for l in left {
            for r in right.iter().filter(|r| r.kind == l.kind || (l.kind.starts_with("int") && r.kind.starts_with("int"))) {
                pairs.push(format!("{} = {}", l.name, r.name));
                if l.kind == "int64" {
                    pairs.push(format!("{} = {}", r.name, l.name));
                }
            }
        }
        if pairs.is_empty() { "true".to_owned() } else { self.random.pick(&pairs).clone() }
    }

    fn select(&mut self, depth: usize) -> (String, Vec<Column>) {
        let (from, scope) = self.from(depth);
        let filter = if self.random.one_in(4) { String::new() } else { format!(" where {}", self.predicate(&scope, 2, depth > 0)) };
        match self.random.below(8) {
            0 | 1 => self.grouped(&from, &scope, &filter),
            2 => self.windowed(&from, &scope, &filter),
            shape => {
                let distinct = if shape == 3 { "distinct " } else { "" };
                let star = shape == 4 && scope.iter().all(|c| c.name.split('.').next() == scope[0].name.split('.').next());
                if star {
                    let columns = scope.iter().map(|c| Column { name: c.name.split('.').nth(1).unwrap().to_owned(), kind: c.kind });
                    return (format!("select * from {from}{filter}"), columns.collect());
                }
                let mut list = Vec::new();
                let mut columns = Vec::new();
                for n in 0..=self.random.below(4) {
                    let column = self.random.pick(&scope).clone();
                    let (sql, kind) = if self.rich && self.random.one_in(8) {
                        self.chosen(&scope, depth)
                    } else if self.random.one_in(6) {
                        self.computed(&column)
                    } else {
                        (column.name, column.kind)
                    };
                    list.push(format!("{sql} as c{n}"));
                    columns.push(Column { name: format!("c{n}"), kind });
                }
                (format!("select {distinct}{} from {from}{filter}", list.join(", ")), columns)
            }
        }
    }

    fn grouped(&mut self, from: &str, scope: &[Column], filter: &str) -> (String, Vec<Column>) {
        let mut keys = Vec::new();
        for _ in 0..self.random.below(3) {
            let key = self.random.pick(scope).clone();
            // A double's key could be shown as either zero.
            if key.kind != "float64" && keys.iter().all(|k: &Column| k.name != key.name) {
                keys.push(key);
            }
        }
        let mut list: Vec<String> = keys.iter().enumerate().map(|(n, k)| format!("{} as c{n}", k.name)).collect();
        let mut columns: Vec<Column> = keys.iter().enumerate().map(|(n, k)| Column { name: format!("c{n}"), kind: k.kind }).collect();
        for _ in 0..=self.random.below(2) {
            let of = self.random.pick(scope).clone();
            let n = list.len();
            let test = if self.rich { self.predicate(scope, 1, false) } else { String::new() };
            let (sql, kind) = match (self.random.below(if self.rich { 10 } else { 4 }), of.kind) {
                (0, _) => ("count(*)".to_owned(), "int64"),
                (4, "decimal(15;2)") => (format!("sum(case when {test} then {} else 0 end)", of.name), "total"),
                (5, "decimal(15;2)") => (format!("sum({} * (1 - 0.05))", of.name), "total"),
                (6, "decimal(15;2)") => (format!("coalesce(sum({0}) filter (where {test}), 0) + count({0})", of.name), "total"),
                (4 | 7, _) => (format!("count(case when {test} then 1 end) * 2 + count(*)"), "int64"),
                (8, "int64" | "int32" | "decimal(15;2)") => (format!("avg({})", of.name), "float64"),
                (9, "int64" | "int32" | "decimal(15;2)") => (format!("count({0}) / (count(*) + 1)", of.name), "float64"),
                (1, _) => (format!("count({})", of.name), "int64"),
                (2, "decimal(15;2)") => (format!("sum({})", of.name), "total"),
                (_, "float64") => (format!("count(distinct {})", of.name), "int64"),
                (3, kind) => (format!("max({})", of.name), kind),
                (_, kind) => (format!("min({})", of.name), kind),
            };
            list.push(format!("{sql} as c{n}"));
            columns.push(Column { name: format!("c{n}"), kind });
        }
        let groups: Vec<&str> = keys.iter().map(|k| k.name.as_str()).collect();
        let group = if keys.is_empty() {
            String::new()
        } else if self.random.one_in(8) {
            format!(" group by rollup ({})", groups.join(", "))
        } else if self.random.one_in(5) {
            " group by all".to_owned()
        } else {
            format!(" group by {}", groups.join(", "))
        };
        let having = match self.random.below(if self.rich { 6 } else { 4 }) {
            4 | 5 => {
                let of = self.random.pick(scope).clone();
                match of.kind {
                    "decimal(15;2)" if self.random.one_in(2) => format!(" having sum({0}) / count(*) > 1 or min({0}) is null", of.name),
                    "decimal(15;2)" => format!(" having sum({}) > 1", of.name),
                    "float64" | "bool" => format!(" having count(distinct {}) < 3", of.name),
                    kind => format!(" having max({}) {} {}", of.name, self.random.pick(&[">", "<=", "<>", "="]), self.literal(kind)),
                }
            }
            0 if !keys.is_empty() && !group.contains("rollup") => format!(" having {}", self.predicate(&keys, 1, false)),
            1 => " having count(*) > 1".to_owned(),
            _ => String::new(),
        };
        (format!("select {} from {from}{filter}{group}{having}", list.join(", ")), columns)
    }

    fn windowed(&mut self, from: &str, scope: &[Column], filter: &str) -> (String, Vec<Column>) {
        let mut keys = Vec::new();
        for _ in 0..self.random.below(3) {
            let key = self.random.pick(scope).clone();
            if key.kind != "float64" {
                keys.push(key.name);
            }
        }
        let part = if keys.is_empty() { String::new() } else { format!("partition by {}", keys.join(", ")) };
        let shown: Vec<Column> = (0..3).map(|_| self.random.pick(scope).clone()).collect();
        let list: Vec<String> = shown.iter().enumerate().map(|(n, c)| format!("{} as c{n}", c.name)).collect();
        let mut columns: Vec<Column> = shown.iter().enumerate().map(|(n, c)| Column { name: format!("c{n}"), kind: c.kind }).collect();
        columns.push(Column { name: "c3".into(), kind: "int64" });
        let qualify = if self.random.one_in(2) { format!(" qualify {} and count(*) over ({part}) < 4", self.predicate(scope, 1, false)) } else { String::new() };
        (format!("select {}, count(*) over ({part}) as c3 from {from}{filter}{qualify}", list.join(", ")), columns)
    }

    fn computed(&mut self, column: &Column) -> (String, &'static str) {
        let name = &column.name;
        if self.rich && self.random.one_in(2) {
            let words = match (column.kind, self.random.below(4)) {
                ("text", 0) => (format!("upper({name})"), "text"),
                ("text", 1) => (format!("length({name})"), "int64"),
                ("text", 2) => (format!("{name} || '-' || coalesce({name}, 'x')"), "text"),
                ("text", _) => (format!("nullif(substr({name}, 1, 2), 'a')"), "text"),
                ("decimal(15;2)", 0) => (format!("abs({name})"), "decimal(15;2)"),
                ("decimal(15;2)", 1) => (format!("{name} * 2"), "total"),
                ("decimal(15;2)", _) => (format!("coalesce({name}, 0) - 1.25"), "total"),
                ("date", 0) => (format!("extract(year from {name})"), "int64"),
                ("date", 1) => (format!("{name} - date '2024-01-01'"), "int64"),
                ("date", _) => (format!("coalesce({name}, date '2024-02-29')"), "date"),
                ("timestamp", _) => (format!("{name}::date"), "date"),
                ("int32", 0) => (format!("{name}::bigint + 1"), "int64"),
                ("int64" | "int32", 1) => (format!("{name} % 3"), column.kind),
                ("int64" | "int32", _) => (format!("nullif({name}, 1)"), column.kind),
                (kind, _) => (format!("coalesce({name}, null)"), kind),
            };
            return words;
        }
        match column.kind {
            "text" => (format!("lower({name})"), "text"),
            "int64" | "int32" => (format!("coalesce({name}, 0)"), column.kind),
            kind => (format!("case when {name} is null then null else {name} end"), kind),
        }
    }

    /// A CASE over conditions, or a subquery of one value.
    fn chosen(&mut self, scope: &[Column], depth: usize) -> (String, &'static str) {
        if depth == 0 || self.random.one_in(2) {
            let column = self.random.pick(scope).clone();
            let (test, other) = (self.predicate(scope, 1, false), self.value(scope, column.kind));
            // A decimal beside a whole number would be another type.
            return (format!("case when {test} then {} when {} is null then null else {other} end", column.name, column.name), if column.kind.contains("dec") { "total" } else { column.kind });
        }
        let (from, inner) = self.item(0);
        let of = self.random.pick(&inner).clone();
        let outer = self.random.pick(scope).clone();
        let same: Vec<&Column> = inner.iter().filter(|c| c.kind == outer.kind).collect();
        let mut tests: Vec<String> = Vec::new();
        if !same.is_empty() && self.random.one_in(2) {
            tests.push(format!("{} = {}", self.random.pick(&same).name, outer.name));
        }
        if self.random.one_in(2) {
            tests.push(self.predicate(&inner, 1, false));
        }
        let filter = if tests.is_empty() { String::new() } else { format!(" where {}", tests.join(" and ")) };
        let word = if of.kind == "float64" { "count" } else { *self.random.pick(&["max", "min", "count"]) };
        (format!("(select {word}({}) from {from}{filter})", of.name), if word == "count" { "int64" } else { of.kind })
    }

    /// A value of that type: a column, a literal or NULL.
    fn value(&mut self, scope: &[Column], kind: &'static str) -> String {
        let alike: Vec<String> = scope.iter().filter(|c| c.kind == kind).map(|c| c.name.clone()).collect();
        if alike.is_empty() || self.random.one_in(10) {
            if self.random.one_in(2) { "null".to_owned() } else { self.literal(kind) }
        } else {
            self.random.pick(&alike).clone()
        }
    }

    fn literal(&mut self, kind: &str) -> String {
        let all: &[&str] = match kind {
            "int64" => &["0", "1", "2", "3", "5", "-1", "9223372036854775807", "-9223372036854775807", "7"],
            "int32" => &["0", "1", "2", "5", "2147483647", "-2147483648", "3000000000"],
            "text" => &["''", "'a'", "'A'", "'a '", "'complete'", "'Complete'", "'ß'", "'ss'", "'İ'", "'it''s'", "'US'", "'us'", "'Ann'"],
            "decimal(15;2)" | "total" => &["0", "10.50", "-0.01", "1", "9999999999999.99", "1.005", "7"],
            "date" => &["'2024-01-01'", "date '2023-12-31'", "'9999-12-31'", "'0001-01-01'", "'2024-02-29'", "date '1999-12-31'"],
            "timestamp" => &["'2024-01-01 00:00:00'", "timestamp '2024-03-31 02:30:00'", "'9999-12-31 23:59:59'", "'1999-12-31 23:59:59.999999'", "timestamp '2024-10-27 02:30:00'"],
            "float64" => &["0.0", "1.5", "-0.0", "2.0", "'NaN'::double", "1e308"],
            _ => &["true", "false"],
        };
        (*self.random.pick(all)).to_owned()
    }

    fn predicate(&mut self, scope: &[Column], depth: usize, subqueries: bool) -> String {
        if self.rich && self.random.one_in(6) {
            return self.further(scope, depth, subqueries);
        }
        match self.random.below(if depth == 0 { 7 } else { 12 }) {
            0 | 1 | 2 => {
                let column = self.random.pick(scope).clone();
                let op = *self.random.pick(&["=", "=", "<>", "<", "<=", ">", ">="]);
                let literal = self.literal(column.kind);
                if self.random.one_in(5) { format!("{literal} {op} {}", column.name) } else { format!("{} {op} {literal}", column.name) }
            }
            3 => {
                let column = self.random.pick(scope).clone();
                let list: Vec<String> = (0..=self.random.below(3)).map(|_| self.literal(column.kind)).collect();
                format!("{} {}in ({})", column.name, if self.random.one_in(3) { "not " } else { "" }, list.join(", "))
            }
            4 => {
                let column = self.random.pick(scope).clone();
                format!("{} is {}null", column.name, if self.random.one_in(2) { "not " } else { "" })
            }
            5 => {
                let column = self.random.pick(scope).clone();
                let (low, high) = (self.literal(column.kind), self.literal(column.kind));
                format!("{} {}between {low} and {high}", column.name, if self.random.one_in(4) { "not " } else { "" })
            }
            6 => {
                let column = self.random.pick(scope).clone();
                match column.kind {
                    "bool" => column.name,
                    "text" => format!("lower({}) = {}", column.name, self.literal("text")),
                    "int64" | "int32" => format!("coalesce({}, 1) = 1", column.name),
                    kind => {
                        let other: Vec<&Column> = scope.iter().filter(|c| c.kind == kind).collect();
                        format!("{} <= {}", column.name, self.random.pick(&other).name)
                    }
                }
            }
            7 => format!("not ({})", self.predicate(scope, depth - 1, false)),
            8 => format!("({} or {})", self.predicate(scope, depth - 1, false), self.predicate(scope, depth - 1, false)),
            9 if subqueries => self.subquery(scope),
            _ => format!("({} and {})", self.predicate(scope, depth - 1, subqueries), self.predicate(scope, depth - 1, subqueries)),
        }
    }

    /// Conditions of more forms.
    fn further(&mut self, scope: &[Column], depth: usize, subqueries: bool) -> String {
        let column = self.random.pick(scope).clone();
        let name = &column.name;
        match self.random.below(7) {
            0 if column.kind == "text" => format!("{name} {}like {}", self.random.pick(&["", "not "]), self.random.pick(&["'%a%'", "'a%'", "'_'", "'%ß'", "'Comp%'", "''", "'%'"])),
            1 => format!("{name} is {}distinct from {}", self.random.pick(&["", "not "]), self.value(scope, column.kind)),
            2 => {
                let other: Vec<String> = scope.iter().filter(|c| c.kind == column.kind).map(|c| c.name.clone()).collect();
                format!("{name} {} {}", self.random.pick(&["=", "<>", "<", ">="]), self.random.pick(&other))
            }
            3 if subqueries => {
                let (sql, kind) = self.chosen(scope, 1);
                format!("{sql} {} {}", self.random.pick(&["=", "<>", "<", ">="]), self.value(scope, kind))
            }
            4 => format!("case when {} then {} else {} end", self.predicate(scope, 0, false), self.predicate(scope, 0, false), self.predicate(scope, depth.saturating_sub(1), false)),
            5 => format!("({}) is {}", self.predicate(scope, 0, false), self.random.pick(&["true", "not true", "false", "not false", "null", "not null"])),
            _ => {
                let (sql, kind) = self.computed(&column);
                format!("{sql} {} {}", self.random.pick(&["=", "<>", "<", ">="]), self.value(scope, kind))
            }
        }
    }

    fn subquery(&mut self, scope: &[Column]) -> String {
        let (from, inner) = self.item(0);
        let not = if self.random.one_in(2) { "not " } else { "" };
        let filter = if self.random.one_in(3) { String::new() } else { self.predicate(&inner, 1, false) };
        let outer = self.random.pick(scope).clone();
        let alike: Vec<String> = inner.iter().filter(|c| c.kind == outer.kind).map(|c| c.name.clone()).collect();
        if alike.is_empty() {
            return format!("{not}exists (select 1 from {from}{})", if filter.is_empty() { String::new() } else { format!(" where {filter}") });
        }
        let same = self.random.pick(&alike).clone();
        if self.random.one_in(2) {
            return format!("{} {not}in (select {same} from {from}{})", outer.name, if filter.is_empty() { String::new() } else { format!(" where {filter}") });
        }
        format!("{not}exists (select 1 from {from} where {same} = {}{})", outer.name, if filter.is_empty() { String::new() } else { format!(" and {filter}") })
    }
}
