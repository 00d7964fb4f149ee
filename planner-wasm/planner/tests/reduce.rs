//! What waits for what, what is then asked, and what sources' estimates mean.
#![allow(clippy::unwrap_used, missing_docs)]

mod cases;

use cases::{catalog, planned, planned_in};
use dvt_planner::dialect::Estimate;
use dvt_planner::ir::{FederatedPlan, Reduction};
use dvt_planner::pushdown::verdict::{Rule, Rules};
use dvt_planner::reduce::{arrange, condition, estimated, range, worth};

fn plan(sql: &str) -> FederatedPlan {
    planned(sql, "duckdb", false, &Rules { off: vec![Rule::Joins, Rule::Subtrees], ..Rules::default() }).unwrap()
}

/// `scan<-giver.column` of each reduction that is used, in the order of scans.
fn waits(plan: &FederatedPlan, rows: &[Option<u64>]) -> Vec<String> {
    let name = |scan: &str| scan.trim_start_matches("dvt_scan_").to_owned();
    let one = |r: usize| format!("{}<-{}.{}", name(&plan.reductions[r].scan), name(&plan.reductions[r].by), plan.reductions[r].key);
    arrange(plan, rows).iter().flat_map(|read| read.reductions.iter().map(|r| one(*r))).collect()
}

const JOIN: &str = "select o.amount, i.sku from {orders} o join {items} i on i.order_id = o.id";

#[test]
fn the_smaller_scan_is_read_first_and_only_when_it_is_much_smaller() {
    let plan = plan(JOIN);
    assert_eq!(waits(&plan, &[Some(100), Some(10_000)]), ["1<-0.id"]);
    assert_eq!(waits(&plan, &[Some(10_000), Some(100)]), ["0<-1.order_id"]);
    // Nothing says that either is less than its whole table: a tenth is asked for.
    assert!(waits(&plan, &[Some(5_000), Some(10_000)]).is_empty());
    assert!(waits(&plan, &[None, Some(10_000)]).is_empty() && waits(&plan, &[Some(1), None]).is_empty());
}

#[test]
fn a_scan_with_a_condition_needs_only_half_the_rows() {
    let plan = plan("select o.amount, i.sku from {orders} o join {items} i on i.order_id = o.id where o.status = 'x'");
    assert_eq!(waits(&plan, &[Some(5_000), Some(10_000)]), ["1<-0.id"]);
    assert!(waits(&plan, &[Some(5_001), Some(10_000)]).is_empty());
}

#[test]
fn more_rows_than_its_source_takes_keys_are_not_waited_for() {
    let plan = plan(JOIN);
    let most = plan.reductions.iter().find(|r| r.scan == "dvt_scan_1").unwrap().most();
    assert_eq!(waits(&plan, &[Some(most * 4), Some(most * 400)]), ["1<-0.id"]);
    assert!(waits(&plan, &[Some(most * 4 + 1), Some(most * 400)]).is_empty());
}

#[test]
fn few_rows_wait_only_to_give_fewer_keys_to_many() {
    let sql = "select c.name from {customers} c join {orders} o on o.customer_id = c.id join {items} i on i.order_id = o.id where c.name = 'x'";
    assert!(waits(&plan(sql), &[Some(1), Some(50), Some(100)]).is_empty());
    assert_eq!(waits(&plan(sql), &[Some(1), Some(50), Some(100_000)]), ["1<-0.id", "2<-1.id"]);
}

#[test]
fn what_is_less_than_its_relation_is_read_first_and_its_part_of_the_others_is_expected() {
    let known = |rows: &[(&str, u64)], sql: &str| planned_in(&catalog(rows), sql, "duckdb", false, &Rules { off: vec![Rule::Joins, Rule::Subtrees], ..Rules::default() }).unwrap();
    let sql = "select c.name, o.amount, i.sku from {customers} c join {orders} o on o.customer_id = c.id join {items} i on i.order_id = o.id where i.qty = 5";
    let rows = [("customers", 7_500), ("orders", 75_000), ("items", 300_000)];
    let estimated = [Some(7_500), Some(75_000), Some(20_000)];
    // A twelfth of the items: so much of the orders, and of their customers, though these are fewer than the items.
    assert_eq!(waits(&known(&rows, sql), &estimated), ["1<-2.order_id", "0<-1.customer_id"]);
    // Nothing is known of the relations' sizes: the fewest rows first, and no keys of all customers.
    assert_eq!(waits(&plan(sql), &estimated), ["1<-2.order_id"]);
    // All of the orders would be asked for.
    assert!(waits(&known(&[("items", 20_000), ("orders", 21_000), ("customers", 30_000)], sql), &[Some(30_000), Some(21_000), Some(20_000)]).is_empty());
}

#[test]
fn no_two_scans_wait_for_each_other() {
    let plan = plan("select a.id from {orders} a, {orders} b, {orders} c, {orders} d where a.id = b.customer_id and b.id = c.customer_id and c.id = d.customer_id and d.id = a.customer_id");
    for seed in 0..200_u64 {
        let rows: Vec<Option<u64>> = (0..4).map(|i| Some(10_u64.pow(((seed >> (2 * i)) % 4 * 2 + 1) as u32))).collect();
        let reads = arrange(&plan, &rows);
        let mut done: Vec<&str> = Vec::new();
        loop {
            let before = done.len();
            for read in &reads {
                let ready = read.reductions.iter().all(|r| done.contains(&plan.reductions[*r].by.as_str()));
                let names = read.scans.iter().map(|s| plan.scans[*s].name.as_str());
                done.extend(names.filter(|n| ready && !done.contains(n)).collect::<Vec<_>>());
            }
            if done.len() == before {
                break;
            }
        }
        assert_eq!(done.len(), 4, "{rows:?} {reads:#?}");
    }
}

#[test]
fn places_that_wait_for_other_keys_are_other_reads() {
    let plan = plan("select a.id from {orders} a join {orders} b on b.id = a.customer_id join {items} i on i.order_id = a.id");
    assert_eq!(arrange(&plan, &[None, None, None]).len(), 2);
    assert_eq!(arrange(&plan, &[Some(100_000), Some(100_000), Some(10)]).len(), 3);
}

#[test]
fn places_that_wait_for_keys_of_one_read_share_theirs() {
    let part = "select i.sku from {orders} o join {items} i on i.order_id = o.id where o.status = 'x'";
    let plan = plan(&format!("{part} union all {part}"));
    let reads = arrange(&plan, &[Some(10), Some(10_000), Some(10), Some(10_000)]);
    let scans: Vec<&[usize]> = reads.iter().map(|r| r.scans.as_slice()).collect();
    assert_eq!((scans, reads[1].reductions.len()), (vec![&[0, 2][..], &[1, 3]], 1), "{reads:#?}");
}

fn reduction(sql: &str, scan: &str) -> Reduction {
    plan(sql).reductions.into_iter().find(|r| r.scan == scan).unwrap()
}

fn told(reduction: &Reduction, keys: &[&str]) -> Option<String> {
    condition(reduction, keys.iter().copied(), None)
}

#[test]
fn keys_that_the_column_cannot_hold_are_left_out() {
    let whole = reduction("select o.id from {orders} o join {items} i on i.qty = o.id", "dvt_scan_1");
    assert_eq!(told(&whole, &["-2147483648", "2147483648", "7"]).unwrap(), "\"qty\" IN (-2147483648, 7)");
    assert_eq!(told(&whole, &["99999999999"]).unwrap(), "1 = 0");
    assert_eq!(told(&whole, &[]).unwrap(), "1 = 0");
    let decimal = reduction("select o.id from {orders} o join {customers} c on c.credit = o.amount", "dvt_scan_0");
    assert_eq!(told(&decimal, &["1.50", "-0.01", "1.505", "100", "99999999999999.00"]).unwrap(), "\"amount\" IN (1.5, -0.01, 100)");
}

#[test]
fn bounds_are_told_of_whole_numbers_and_dates_alone() {
    let whole = reduction("select o.id from {orders} o join {items} i on i.qty = o.id", "dvt_scan_1");
    assert_eq!(range(&whole, "-5", "7").unwrap(), "(\"qty\" >= -5 AND \"qty\" <= 7)");
    assert!(range(&whole, "-5", "99999999999").is_none());
    let date = reduction("select o.id from {orders} o join {customers} c on c.since = o.ordered", "dvt_scan_0");
    assert_eq!(range(&date, "2024-02-29", "2024-03-01").unwrap(), "(\"ordered\" >= DATE '2024-02-29' AND \"ordered\" <= DATE '2024-03-01')");
    let decimal = reduction("select o.id from {orders} o join {customers} c on c.credit = o.amount", "dvt_scan_0");
    let text = reduction("select o.id from {orders} o join {items} i on i.sku = o.status", "dvt_scan_0");
    assert!(range(&decimal, "1", "2").is_none() && range(&text, "a", "b").is_none());
    let cells = reduction("select o.id from {orders} o join {customers} c on c.id = o.id", "dvt_scan_1");
    assert!(range(&cells, "1", "2").unwrap().ends_with(" OR typeof(\"id\") NOT IN ('integer', 'null'))"));
}

#[test]
fn a_key_without_a_safe_literal_gives_the_condition_up() {
    let date = reduction("select o.id from {orders} o join {customers} c on c.since = o.ordered", "dvt_scan_0");
    assert_eq!(told(&date, &["2024-02-29"]).unwrap(), "\"ordered\" IN (DATE '2024-02-29')");
    assert!(told(&date, &["2024-02-29", "-4712-01-01"]).is_none());
    let text = reduction("select o.id from {orders} o join {items} i on i.sku = o.status", "dvt_scan_0");
    assert_eq!(told(&text, &["it's", "", "ß"]).unwrap(), "\"status\" IN ('it''s', '', 'ß')");
    assert!(told(&text, &["a\\b"]).is_none() && told(&text, &["a\nb"]).is_none());
}

#[test]
fn a_source_of_untyped_cells_keeps_those_it_would_compare_otherwise() {
    let loose = reduction("select o.id from {orders} o join {customers} c on c.id = o.id", "dvt_scan_1");
    assert_eq!(told(&loose, &[]).unwrap(), "(1 = 0 OR typeof(\"id\") NOT IN ('integer', 'null'))");
}

#[test]
fn too_many_keys_for_the_rows_or_the_source_are_not_told() {
    let mut whole = reduction(JOIN, "dvt_scan_1");
    assert!(condition(&whole, ["1", "2"].into_iter(), Some(2)).is_some());
    assert!(condition(&whole, ["1", "2"].into_iter(), Some(1)).is_none());
    let of = |rows: &[(&str, u64)], estimated: &[Option<u64>]| {
        let plan = planned_in(&catalog(rows), JOIN, "duckdb", false, &Rules { off: vec![Rule::Joins, Rule::Subtrees], ..Rules::default() }).unwrap();
        let to_items = plan.reductions.iter().find(|r| r.scan == "dvt_scan_1").unwrap();
        worth(&plan, estimated, to_items, estimated[1])
    };
    // Half of the rows; all but a tenth of their 24 bytes, in keys of 12; nothing is known.
    assert_eq!(of(&[], &[Some(300), Some(1_000)]), Some(500));
    assert_eq!(of(&[("orders", 3_000)], &[Some(300), Some(1_000)]), Some(1_800));
    assert_eq!(of(&[("orders", 3_000)], &[Some(300), None]), None);
    whole.bytes = 5;
    assert!(told(&whole, &["10"]).is_some() && told(&whole, &["10", "11"]).is_none());
    whole.most = 1;
    assert!(told(&whole, &["1", "2"]).is_none());
}

#[test]
fn many_keys_are_one_literal_in_each_products_words() {
    let all_of = |sql: &str, scan: &str, keys: &[&str]| {
        let mut one = reduction(sql, scan);
        one.array.as_mut().unwrap().from = 2;
        told(&one, keys)
    };
    let text = "select o.id from {orders} o join {items} i on i.sku = o.status";
    assert_eq!(all_of(text, "dvt_scan_0", &["it's", "a,}", "NULL", ""]).unwrap(), "\"status\" = ANY ('{\"it''s\",\"a,}\",\"NULL\",\"\"}')");
    assert_eq!(all_of(text, "dvt_scan_0", &["a\"b", "c"]).unwrap(), "\"status\" IN ('a\"b', 'c')", "no backslash");
    assert!(all_of(text, "dvt_scan_0", &["a\\b", "c"]).is_none());
    let decimal = "select o.id from {orders} o join {customers} c on c.credit = o.amount";
    assert_eq!(all_of(decimal, "dvt_scan_0", &["1.50", "1.505", "-100"]).unwrap(), "\"amount\" = ANY ('{1.5,-100}')");
    assert_eq!(all_of(decimal, "dvt_scan_0", &["1.505", "1.506"]).unwrap(), "1 = 0");
    let cells = "select o.id from {orders} o join {customers} c on c.id = o.id";
    assert_eq!(
        all_of(cells, "dvt_scan_1", &["1", "2"]).unwrap(),
        "(\"id\" IN (SELECT value FROM json_each('[1,2]')) OR typeof(\"id\") NOT IN ('integer', 'null'))"
    );
    let mut few = reduction(cells, "dvt_scan_1");
    assert_eq!(few.most(), few.array.as_ref().unwrap().most);
    assert!(told(&few, &["1", "2"]).unwrap().contains("IN (1, 2)"), "few are listed");
    few.array.as_mut().unwrap().bytes = 2;
    few.array.as_mut().unwrap().from = 1;
    assert!(told(&few, &["1"]).is_some() && told(&few, &["1", "2"]).is_none());
}

#[test]
fn estimates_are_read_from_where_a_product_writes_them() {
    let of = |rows: &[&str], percent: &[&str]| Estimate {
        sql: String::new(),
        rows: rows.iter().map(|s| (*s).to_owned()).collect(),
        percent: percent.iter().map(|s| (*s).to_owned()).collect(),
        exact: false,
    };
    assert_eq!(estimated("[{\"Plan\": {\"Plan Rows\": 1234}}]", &of(&["/0/Plan/Plan Rows"], &[])), Some(1234));
    let nested = "{\"query_block\": {\"nested_loop\": [{\"table\": {\"rows\": 1000, \"filtered\": 12.34}}]}}";
    assert_eq!(estimated(nested, &of(&["/x", "/query_block/nested_loop/0/table/rows"], &["/query_block/nested_loop/0/table/filtered"])), Some(124));
    assert_eq!(estimated("[{\"extra\": {\"Estimated Cardinality\": \"20000\"}}]", &of(&["/0/extra/Estimated Cardinality"], &[])), Some(20_000));
    assert_eq!(estimated("17", &of(&[], &[])), Some(17));
    assert_eq!(estimated("no plan", &of(&["/0"], &[])), None);
}
