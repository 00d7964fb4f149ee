//! Random SELECTs that group over joins, in words that PostgreSQL, MySQL, SQLite and DuckDB share: one seed, one text.
//!
//! Aggregates of one relation stand beside those of others, conditions beside columns that only they read, keys are columns
//! and expressions of any relation. Every order with a LIMIT is one of all columns.

use super::generate::Random;

/// A relation, its whole numbers that equal others', and its columns by what is done with them.
struct Table {
    name: &'static str,
    links: &'static [&'static str],
    keys: &'static [&'static str],
    decimals: &'static [&'static str],
    wholes: &'static [&'static str],
    days: &'static [&'static str],
}

const TABLES: [Table; 5] = [
    Table { name: "orders", links: &["id", "customer_id"], keys: &["status", "ordered", "customer_id", "note"], decimals: &["amount"], wholes: &["customer_id"], days: &["ordered"] },
    Table { name: "customers", links: &["id"], keys: &["since", "name", "country", "credit", "id"], decimals: &["credit"], wholes: &["id"], days: &["since"] },
    Table { name: "items", links: &["order_id"], keys: &["sku", "qty", "order_id"], decimals: &["price"], wholes: &["qty", "order_id"], days: &[] },
    Table { name: "lines", links: &["order_id"], keys: &["returned", "line", "sku"], decimals: &["price"], wholes: &["line", "pieces"], days: &["returned"] },
    Table { name: "stores", links: &["id"], keys: &["opened", "region", "id"], decimals: &[], wholes: &["id"], days: &["opened"] },
];

struct Sums {
    random: Random,
    /// The relations of the FROM, and their aliases.
    items: Vec<(&'static Table, char)>,
    /// The one that most aggregates are of.
    large: usize,
    /// Whether dates have fields. (Not in SQLite.)
    fields: bool,
}

/// The text of one seed; `{orders}` stands for a relation.
pub fn query(seed: u64) -> String {
    let mut g = Sums { random: Random::new(seed), items: Vec::new(), large: 0, fields: seed < 4_900_000 };
    let (sql, columns) = g.select();
    let sizes: Vec<String> = TABLES.iter().map(|t| format!("{} {}", t.name, if t.name == g.items[g.large].0.name { 100_000 } else { 10 })).collect();
    let whole = match g.random.below(6) {
        0 => format!("select t.*, z.id as z from ({sql}) t left join {{stores}} z on z.id = t.n"),
        1 => format!("select x.n, count(*) as m from ({sql}) x group by x.n"),
        2 => {
            let keys: Vec<String> = (1..=columns).map(|n| n.to_string()).collect();
            format!("{sql} order by {} limit {}", keys.join(", "), 1 + g.random.below(5))
        }
        _ => sql,
    };
    format!("-- rows: {}\n{whole}", sizes.join(", "))
}

impl Sums {
    fn of(&mut self, columns: fn(&Table) -> &'static [&'static str]) -> Option<String> {
        let (table, alias) = *self.random.pick(&self.items);
        Self::column(&mut self.random, table, alias, columns)
    }

    /// As `of`, mostly of the large one.
    fn most(&mut self, columns: fn(&Table) -> &'static [&'static str]) -> Option<String> {
        if self.random.below(5) == 0 {
            return self.of(columns);
        }
        let (table, alias) = self.items[self.large];
        Self::column(&mut self.random, table, alias, columns)
    }

    /// As `of`, mostly of the others.
    fn least(&mut self, columns: fn(&Table) -> &'static [&'static str]) -> Option<String> {
        let at = self.random.below(self.items.len());
        let (table, alias) = self.items[if at == self.large && self.random.below(3) > 0 { (at + 1) % self.items.len() } else { at }];
        Self::column(&mut self.random, table, alias, columns)
    }

    fn column(random: &mut Random, table: &Table, alias: char, columns: fn(&Table) -> &'static [&'static str]) -> Option<String> {
        let columns = columns(table);
        (!columns.is_empty()).then(|| format!("{alias}.{}", random.pick(columns)))
    }

    fn number(&mut self) -> usize {
        *self.random.pick(&[0, 1, 2, 3, 7, 100])
    }

    fn condition(&mut self) -> String {
        let (day, number) = (self.of(|t| t.days), self.number());
        let (link, other) = (self.of(|t| t.links).unwrap(), self.of(|t| t.links).unwrap());
        match (self.random.below(9), day) {
            (0, Some(day)) => format!("{day} >= '2024-01-01'"),
            (1, Some(day)) => format!("{day} between '1999-01-01' and '2024-02-29'"),
            (2, Some(day)) => format!("{day} is null"),
            (3, _) => format!("{link} in (1, 2, {number})"),
            (4, _) if number == 0 => format!("{link} <> {other}"),
            (5, _) if number < 2 => format!("({link} = {number} or {other} > 1)"),
            (6, _) => format!("{link} between 1 and {}", number + 2),
            (7, _) => self.of(|t| t.decimals).map_or_else(|| format!("{link} > 1"), |d| format!("{d} <= {number}.50")),
            _ => format!("{link} < 100"),
        }
    }

    /// A condition with a query, whose relation may be called like one of the FROM.
    fn query(&mut self) -> String {
        let (link, other) = (self.of(|t| t.links).unwrap(), self.of(|t| t.links).unwrap());
        let table = self.random.pick(&TABLES);
        let alias = *self.random.pick(&['a', 'b', 'z', 'z']);
        let (own, name) = (*self.random.pick(table.links), table.name);
        match self.random.below(6) {
            0 => format!("exists (select 1 from {{{name}}} {alias} where {alias}.{own} = {link})"),
            1 => format!("{link} in (select {alias}.{own} from {{{name}}} {alias} where {alias}.{own} > 1 union all select {alias}.id from {{stores}} {alias})"),
            2 => format!("{link} in (select {alias}.{own} from {{{name}}} {alias} where {other} is not null)"),
            3 => format!("(select count(*) from {{{name}}} {alias} where {alias}.{own} = {link}) < 2"),
            4 => format!("exists (select 1 from ({{{name}}} {alias} join {{stores}} y on y.id = {alias}.{own}) where y.id = {link})"),
            _ => format!("not exists (select {own} from {{{name}}} where {own} = {link} and {own} > 2)"),
        }
    }

    fn key(&mut self) -> String {
        let (day, link, number) = (self.least(|t| t.days), self.least(|t| t.links).unwrap(), self.number());
        match (self.random.below(8), day) {
            (0, Some(day)) => format!("case when {day} > '2024-01-01' then 1 else 0 end"),
            (1, _) => format!("coalesce({link}, {number})"),
            (2, Some(day)) if self.fields => format!("extract({} from {day})", self.random.pick(&["year", "month", "day"])),
            (2..5, Some(day)) => day,
            _ => self.least(|t| t.keys).unwrap(),
        }
    }

    fn aggregate(&mut self) -> String {
        let (decimal, whole) = (self.most(|t| t.decimals), self.most(|t| t.wholes));
        let (any, test) = (self.most(|t| t.keys).unwrap(), self.condition());
        let extreme = *self.random.pick(&["min", "max"]);
        match (self.random.below(14), decimal, whole) {
            (0..3, Some(d), _) => format!("sum({d})"),
            (3, Some(d), _) => format!("sum(case when {test} then {d} else 0 end)"),
            (4, Some(d), _) => format!("coalesce(sum({d}), 0) + count({d})"),
            (5, Some(d), _) => format!("{extreme}({d})"),
            (6, _, Some(w)) => format!("{extreme}({w})"),
            (7, _, Some(w)) if w.ends_with("line") || w.ends_with("pieces") || w.ends_with("qty") => format!("sum({w})"),
            (8, _, _) => format!("count({any})"),
            (9, _, _) => format!("count(distinct {any})"),
            (10, _, _) => format!("count(case when {test} then 1 end) * 2"),
            (11, Some(d), _) => format!("avg({d})"),
            (12, _, _) => self.most(|t| t.days).map_or_else(|| "count(*) + 1".to_owned(), |day| format!("{extreme}({day})")),
            _ => "count(*)".to_owned(),
        }
    }

    fn from(&mut self) -> String {
        let mut sql = String::new();
        for alias in ['a', 'b', 'c'].into_iter().take(1 + self.random.below(5).div_ceil(2)) {
            let table = self.random.pick(&TABLES);
            let (open, close) = if self.random.below(8) == 0 { ("(select * from ", ")") } else { ("", "") };
            if self.items.is_empty() {
                sql = format!("{open}{{{}}}{close} {alias}", table.name);
            } else {
                let left = self.of(|t| t.links).unwrap();
                let right = *self.random.pick(table.links);
                let join = *self.random.pick(&["join", "join", "join", "left join", "left join", "right join"]);
                sql += &format!(" {join} {open}{{{}}}{close} {alias} on {left} = {alias}.{right}", table.name);
                if self.random.below(4) == 0 {
                    self.items.push((table, alias));
                    sql += &format!(" and {}", self.condition());
                    self.items.pop();
                }
            }
            self.items.push((table, alias));
        }
        sql
    }

    /// A grouping SELECT whose column `n` is a whole number, and how many columns it has.
    fn select(&mut self) -> (String, usize) {
        let from = self.from();
        self.large = self.random.below(self.items.len());
        let mut keys: Vec<String> = Vec::new();
        for _ in 0..self.random.below(3) {
            let key = self.key();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        let mut list: Vec<String> = keys.iter().enumerate().map(|(i, k)| format!("{k} as k{i}")).collect();
        let mut called: Vec<&str> = vec!["amount", "price", "id", "since", "status", "credit"];
        for i in 0..1 + self.random.below(3) {
            let name = if self.random.below(4) == 0 { called.remove(self.random.below(called.len())).to_owned() } else { format!("v{i}") };
            let filter = if self.random.below(5) == 0 { format!(" filter (where {})", self.condition()) } else { String::new() };
            let aggregate = self.aggregate();
            let plain = aggregate.ends_with(')') && !aggregate.contains(" + ") && !aggregate.starts_with("coalesce");
            list.push(format!("{aggregate}{} as {name}", if plain { filter.as_str() } else { "" }));
        }
        list.push("count(*) as n".to_owned());
        let mut conditions: Vec<String> = (0..self.random.below(3)).map(|_| self.condition()).collect();
        if self.random.below(4) == 0 {
            conditions.push(self.query());
        }
        let filter = if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) };
        let group = if keys.is_empty() { String::new() } else { format!(" group by {}", keys.join(", ")) };
        let having = match (self.random.below(8), self.most(|t| t.decimals)) {
            (0, _) => " having count(*) > 1".to_owned(),
            (1, Some(d)) => format!(" having sum({d}) > 1 or count(*) < 3"),
            _ => String::new(),
        };
        let distinct = if self.random.below(8) == 0 { "distinct " } else { "" };
        (format!("select {distinct}{} from {from}{filter}{group}{having}", list.join(", ")), list.len())
    }
}
