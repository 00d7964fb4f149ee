//! `make bench-moved`: the rows and bytes that the 22 queries of TPC-H move over one placement: by dvt, without pushdown,
//! by others, and the least that can be. Prints a Markdown table; `tests/bench/README.md` holds the last one.
//!
//! Usage: moved SCALE [PEERS…], each of PEERS a command that runs queries over a PostgreSQL server: it gets the port as its
//! last argument, then a line `NAME<tab>SQL` for each query on its input, and answers each with a line. What it moved is
//! what it asked the server: every statement in the server's log is asked again and counted by dvt's own reader.
#![allow(clippy::print_stdout, clippy::unwrap_used)]

#[path = "../../../../host/engine/tests/servers/mod.rs"]
mod servers;
#[path = "../../../tests/split/mod.rs"]
mod split;

mod minimum;
mod peer;
mod planning;

use dvt_planner::pushdown::verdict::Rules;
use split::World;
use std::path::PathBuf;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Two databases of one server: customers and their orders here, what is delivered and by whom there.
const PLACEMENT: [&str; 8] = ["pg", "pg", "pg", "pg", "pg2", "pg2", "pg2", "pg2"];

/// Rows and Arrow bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Amount {
    pub rows: u64,
    pub bytes: u64,
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows, {}", dvt_planner::explain::grouped(self.rows), dvt_planner::explain::sized(self.bytes))
    }
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    let half = of.len() / 2;
    if of.len() % 2 == 1 { of[half] } else { f64::midpoint(of[half - 1], of[half]) }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let scale: f64 = args.get(1).map_or(0.1, |s| s.parse().unwrap());
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("tpch");
    let mut queries: Vec<(String, String)> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "sql"))
        .map(|p| (p.file_stem().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(p).unwrap()))
        .collect();
    queries.sort();
    let mut world = World::tpch(scale);
    planning::line(&world, &folder.join("../bench/planning.sql"));
    let mut least = minimum::read(&folder.join("minimum.txt"));
    let mut peers: Vec<peer::Peer> = args.iter().skip(2).map(|command| peer::Peer::start(command, &world)).collect();
    let names: Vec<String> = peers.iter().map(|p| format!(" {} |", p.name)).collect();
    println!("| query | least | dvt | dvt / least | as a model of PostgreSQL | without pushdown |{}", names.concat());
    println!("|---|---|---|---|---|---|{}", "---|".repeat(peers.len()));
    let (mut ratios, mut spoken_ratios, mut spoken_sum) = (Vec::new(), Vec::new(), 0);
    let mut others: Vec<Vec<f64>> = vec![Vec::new(); peers.len()];
    let (mut least_sum, mut own_sum, mut whole_sum) = (0, 0, 0);
    for (name, text) in &queries {
        let least = least.remove(name).unwrap_or_else(|| panic!("{name} has no least")).amount(&world);
        let truth = world.truth(text).unwrap();
        let run = |no_pushdown: bool| {
            let plan = world.plan(text, &PLACEMENT, &Rules::default(), no_pushdown).unwrap();
            if std::env::var_os("DVT_SHOW").is_some() && !no_pushdown {
                println!("{name}\n{}", split::shown(&plan));
            }
            let (rows, computed) = world.run(&plan).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(rows == truth, "{name} answers otherwise");
            if std::env::var_os("DVT_SHOW").is_some() && !no_pushdown {
                computed.movements.iter().for_each(|m| println!("    {:?} {}", m.relation.as_ref().map(|r| &r.identifier), Amount { rows: m.rows, bytes: m.bytes }));
            }
            let sum = |of: fn(&dvt_federation::Movement) -> u64| computed.movements.iter().map(of).sum();
            Amount { rows: sum(|m| m.rows), bytes: sum(|m| m.bytes) }
        };
        let (own, whole) = (run(false), run(true));
        // The same text in the sources' own words: equal to itself without pushdown; what it means the other suites ask of PostgreSQL.
        world.spoken = split::spoken::POSTGRES;
        let spoken = |no_pushdown: bool| {
            let plan = world.plan(text, &PLACEMENT, &Rules::default(), no_pushdown)?;
            let (rows, computed) = world.run(&plan)?;
            let sum = |of: fn(&dvt_federation::Movement) -> u64| computed.movements.iter().map(of).sum();
            // What the server answers whole comes as its own text.
            let rows = Some(rows).filter(|_| plan.delegates.is_empty());
            Ok::<_, dvt_diagnostic::Diagnostic>((rows, Amount { rows: sum(|m| m.rows), bytes: sum(|m| m.bytes) }))
        };
        let as_model = match (spoken(false), spoken(true)) {
            (Ok((with, amount)), Ok((without, _))) => {
                assert!(with.is_none() || with == without, "{name} as a model of PostgreSQL answers otherwise with pushdown: {with:#?} {without:#?}");
                spoken_ratios.push(amount.bytes as f64 / least.bytes as f64);
                spoken_sum += amount.bytes;
                format!("{amount} ({:.2}×)", amount.bytes as f64 / least.bytes as f64)
            }
            (Err(e), _) | (_, Err(e)) => e.to_string().split([';', '\n']).next().unwrap_or_default().to_owned(),
        };
        world.spoken = split::spoken::DUCKDB;
        let ratio = own.bytes as f64 / least.bytes as f64;
        ratios.push(ratio);
        (least_sum, own_sum, whole_sum) = (least_sum + least.bytes, own_sum + own.bytes, whole_sum + whole.bytes);
        let mut cells = String::new();
        for (i, peer) in peers.iter_mut().enumerate() {
            let cell = match peer.run(name, text, &world) {
                Ok(amount) => {
                    others[i].push(amount.bytes as f64 / least.bytes as f64);
                    format!(" {amount} ({:.1}×) |", amount.bytes as f64 / least.bytes as f64)
                }
                Err(why) => format!(" {why} |"),
            };
            cells.push_str(&cell);
        }
        println!("| {name} | {least} | {own} | {ratio:.2}× | {as_model} | {whole} |{cells}");
    }
    let all: Vec<String> = others.into_iter().map(|o| if o.is_empty() { " – |".to_owned() } else { format!(" median {:.1}× |", median(o)) }).collect();
    let sized = dvt_planner::explain::sized;
    println!("| all | {} | {} | median {:.2}× | {}, median {:.2}× | {} |{}", sized(least_sum), sized(own_sum), median(ratios), sized(spoken_sum), median(spoken_ratios), sized(whole_sum), all.concat());
}
