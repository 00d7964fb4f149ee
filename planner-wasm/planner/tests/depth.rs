//! Deep and long texts end in a diagnostic or a plan, never in a stack that overflows.
#![allow(clippy::unwrap_used, missing_docs)]

mod cases;

use cases::planned;
use dvt_diagnostic::Code;
use dvt_planner::pushdown::verdict::Rules;

/// On a stack as small as a thread's usually is.
fn on_a_small_stack(sql: String) -> Result<usize, Code> {
    let plan = move || planned(&sql, "duckdb", false, &Rules::default()).map(|p| p.scans.len()).map_err(|e| e.code);
    std::thread::Builder::new().stack_size(2 << 20).spawn(plan).unwrap().join().unwrap()
}

#[test]
fn nesting_beyond_the_limit_is_told() {
    for (open, close) in [("(", ")"), ("(select ", ")"), ("case when 1 = 1 then ", " end")] {
        let sql = format!("select {}1{} as x from {{items}}, {{customers}}", open.repeat(4000), close.repeat(4000));
        // The reader gives up a CASE in other words.
        assert!(matches!(on_a_small_stack(sql), Err(Code::SqlTooDeep | Code::SqlSyntax)), "{open}");
    }
    let derived = format!("select * from {}{{items}}{}, {{customers}}", "(select * from ".repeat(2000), ") d".repeat(2000));
    assert_eq!(on_a_small_stack(derived), Err(Code::SqlTooDeep));
}

#[test]
fn queries_that_read_one_another_in_a_long_chain_are_planned() {
    let mut sql = "with c0 as (select order_id, sku from {items})".to_owned();
    for n in 1..400 {
        sql += &format!(", c{n} as (select order_id, sku from c{} where order_id > {n})", n - 1);
    }
    sql += " select c.id from c399 join {customers} c on c.id = c399.order_id";
    assert_eq!(on_a_small_stack(sql), Ok(2));
}

#[test]
fn long_chains_of_conditions_operators_and_unions_are_planned_or_told() {
    let ors: Vec<String> = (0..3000).map(|n| format!("i.qty = {n}")).collect();
    for word in [" or ", " and "] {
        let sql = format!("select c.id from {{items}} i join {{customers}} c on c.id = i.order_id where {}", ors.join(word));
        assert!(matches!(on_a_small_stack(sql), Ok(2) | Err(Code::SqlTooDeep)), "{word}");
    }
    let sum = format!("select {}1 as x from {{items}}, {{customers}}", "1 + ".repeat(3000));
    assert!(matches!(on_a_small_stack(sum), Ok(2) | Err(Code::SqlTooDeep)));
    let arms: Vec<&str> = (0..600).map(|n| if n % 2 == 0 { "select order_id from {items}" } else { "select id from {customers}" }).collect();
    assert!(matches!(on_a_small_stack(arms.join(" union all ")), Ok(600) | Err(Code::SqlTooDeep)));
}
