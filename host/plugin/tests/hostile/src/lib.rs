//! A plugin that attacks its host in the way that the profile's `attack` names: for tests.

use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation};

pub struct Hostile;

impl Adapter for Hostile {
    const SHEET: &'static str = "name = \"hostile\"\nparser = \"generic\"\nquote = ['\"', '\"']\n";
    const MACROS: &'static [(&'static str, &'static str)] = &[("dbt_project.yml", "name: dbt_hostile\n")];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        match profile.text("attack").as_deref() {
            Some("loop") => loop {
                std::hint::black_box(0);
            },
            Some("panic") => panic!("the plugin's own words"),
            Some("memory") => {
                let mut all: Vec<Vec<u8>> = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            Some("recursion") => Err(Failure::new("", deeper(1).to_string())),
            Some("error") => Err(Failure::new("DVT5103", "no such place").hint("go elsewhere")),
            _ => Ok(ConnectPlan { driver: "none".to_owned(), endpoint: "hostile".to_owned(), ..ConnectPlan::default() }),
        }
    }
    fn catalog_sql(_: &[Relation]) -> Result<String, Failure> {
        Ok("x".repeat(20 << 20))
    }
    fn list_sql(_: Option<&str>, _: &str) -> Result<String, Failure> {
        Ok("select 1".to_owned())
    }
    fn canonical(_: &NativeType) -> Result<String, String> {
        Ok("no canonical type".to_owned())
    }
    fn ddl(_: &NativeType) -> Option<String> {
        None
    }
    fn classify(_: Option<&str>, _: &str) -> (String, Option<String>) {
        (String::new(), None)
    }
    fn merge_statement(_: &str) -> bool {
        false
    }
}

#[allow(unconditional_recursion)]
fn deeper(n: u64) -> u64 {
    std::hint::black_box(n) + deeper(std::hint::black_box(n + 1))
}

dvt_plugin_sdk::export_adapter!(crate::Hostile);
