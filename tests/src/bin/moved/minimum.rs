//! The least that a query can move: of every relation the rows that take part in its answer, each once, in the columns
//! that the answer or a join reads. `tests/tpch/minimum.txt` says which; the rows are found in the database that holds all.

use crate::Amount;
use crate::split::World;
use dvt_tests::tpch;
use std::collections::BTreeMap;
use std::path::Path;

const KEYS: [(&str, &str); 8] = [
    ("region", "r_regionkey"),
    ("nation", "n_nationkey"),
    ("customer", "c_custkey"),
    ("orders", "o_orderkey"),
    ("lineitem", "l_orderkey, l_linenumber"),
    ("part", "p_partkey"),
    ("partsupp", "ps_partkey, ps_suppkey"),
    ("supplier", "s_suppkey"),
];

/// One query's part of the file.
#[derive(Default)]
pub struct Least {
    /// A statement for each relation, and its columns.
    statements: Vec<(String, Vec<String>)>,
}

pub fn read(file: &Path) -> BTreeMap<String, Least> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut out: BTreeMap<String, Least> = BTreeMap::new();
    let (mut query, mut blocks) = (String::new(), BTreeMap::new());
    for line in text.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')) {
        let Some((head, rest)) = line.split_once(": ") else {
            query = line.to_owned();
            blocks.clear();
            continue;
        };
        let Some((columns, named)) = rest.split_once(" @ ") else {
            blocks.insert(head.to_owned(), rest.replace(['{', '}'], ""));
            continue;
        };
        let (relation, alias) = head.split_once(" as ").unwrap_or((head, ""));
        let keys = KEYS.iter().find(|(t, _)| *t == relation).unwrap().1;
        let qualified: Vec<String> = keys.split(", ").map(|k| if alias.is_empty() { k.to_owned() } else { format!("{alias}.{k}") }).collect();
        let found: Vec<String> = named.split(", ").map(|b| format!("select {} from {}", qualified.join(", "), blocks[b])).collect();
        let statement = format!("select {columns} from {relation} where ({keys}) in ({})", found.join(" union "));
        out.entry(query.clone()).or_default().statements.push((statement, columns.split(", ").map(str::to_owned).collect()));
    }
    out
}

impl Least {
    pub fn amount(&self, world: &World) -> Amount {
        let mut sum = Amount::default();
        for (statement, columns) in &self.statements {
            let kinds: Vec<(String, &str)> = columns.iter().map(|c| (c.clone(), kind(c))).collect();
            let moved = world.counted("all", statement, &kinds);
            sum = Amount { rows: sum.rows + moved.rows, bytes: sum.bytes + moved.bytes };
        }
        sum
    }
}

/// The type of a column of TPC-H, whose names say which table it is of.
fn kind(column: &str) -> &'static str {
    let all = tpch::TABLES.iter().flat_map(|(_, columns)| columns.split(", "));
    all.filter_map(|c| c.split_once(' ')).find(|(name, _)| *name == column).map(|(_, kind)| kind).unwrap_or_else(|| panic!("TPC-H has no column {column}"))
}
