//! A wire plugin that misuses what it is lent in the way that the profile's `attack` names: for tests.
//!
//! Its protocol: rows are a length in four bytes and an Arrow IPC stream, as the test's server sends them.

use dvt_plugin_sdk::wire::{Grant, OWN_CONNECTION, Options, Session, Stream, Want, Wire};
use dvt_plugin_sdk::{Adapter, ConnectPlan, Failure, NativeType, Profile, Relation};

pub struct Rogue;

impl Adapter for Rogue {
    const SHEET: &'static str = "name = \"rogue\"\nparser = \"generic\"\nquote = ['\"', '\"']\n";
    const MACROS: &'static [(&'static str, &'static str)] = &[("dbt_project.yml", "name: dbt_rogue\n")];

    fn connect(profile: &Profile) -> Result<ConnectPlan, Failure> {
        let attack = profile.text("attack").unwrap_or_default();
        if attack == "early" {
            // Where no session is opened, nothing is lent.
            Grant.connect()?;
        }
        let host = if attack == "redirect" { "elsewhere.example".to_owned() } else { profile.require("host")? };
        let port = if attack == "redirect-port" { "22".to_owned() } else { profile.require("port")? };
        let mut options = vec![("host".to_owned(), host), ("port".to_owned(), port), ("attack".to_owned(), attack)];
        for key in ["tls", "connect_timeout", "read_timeout"] {
            options.extend(profile.text(key).map(|v| (key.to_owned(), v)));
        }
        Ok(ConnectPlan { driver: OWN_CONNECTION.to_owned(), options, endpoint: "rogue".to_owned(), ..ConnectPlan::default() })
    }
    fn catalog_sql(_: &[Relation]) -> Result<String, Failure> {
        Ok(String::new())
    }
    fn list_sql(_: Option<&str>, _: &str) -> Result<String, Failure> {
        Ok(String::new())
    }
    fn canonical(_: &NativeType) -> Result<String, String> {
        Ok("text".to_owned())
    }
    fn ddl(_: &NativeType) -> Option<String> {
        None
    }
    fn classify(_: Option<&str>, _: &str) -> (String, Option<String>) {
        ("DVT5104".to_owned(), None)
    }
    fn merge_statement(_: &str) -> bool {
        false
    }
}

impl Wire for Rogue {
    type Session = Held;

    fn open(options: &Options, host: &Grant) -> Result<Held, Failure> {
        let attack = options.get("attack").unwrap_or_default().to_owned();
        let mut stream = host.connect()?;
        match attack.as_str() {
            "loop" => forever(),
            "silent" => drop(stream.exact(1)?),
            "many" => {
                let mut all = Vec::new();
                for _ in 0..100 {
                    all.push(host.connect()?);
                }
            }
            "secret" => drop(host.prove(&["SCRAM-SHA-256".to_owned()], "u", "password", &stream)?),
            "words" => (0..20_000).for_each(|_| dvt_plugin_sdk::adapter_world::dvt::plugin::log::write(dvt_plugin_sdk::adapter_world::dvt::plugin::log::Level::Info, &"x".repeat(10_000))),
            _ => {}
        }
        Ok(Held { stream, attack })
    }
}

pub struct Held {
    stream: Stream,
    attack: String,
}

fn forever() -> ! {
    loop {
        std::hint::black_box(0);
    }
}

impl Session for Held {
    fn server_version(&mut self) -> Result<String, Failure> {
        Ok("1".to_owned())
    }
    fn execute(&mut self, sql: &str) -> Result<(Option<u64>, String), Failure> {
        match sql {
            "late" => drop(Grant.connect()?),
            "loop" => forever(),
            "read" => drop(self.stream.exact(1)?),
            "trap" => panic!("the plugin's own words"),
            "memory" => {
                let mut all: Vec<Vec<u8>> = Vec::new();
                loop {
                    all.push(std::hint::black_box(vec![1; 1 << 20]));
                }
            }
            _ => {}
        }
        Ok((None, "OK".to_owned()))
    }
    fn describe(&mut self, _: &str) -> Result<Vec<(String, String)>, Failure> {
        Ok(Vec::new())
    }
    fn query(&mut self, _: &str, _: Want, _: Option<u64>) -> Result<(), Failure> {
        Ok(())
    }
    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        if self.attack == "flood" {
            return Ok(Some(vec![0; 20 << 20]));
        }
        let length = self.stream.exact(4)?;
        let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if length == 0 {
            return Ok(None);
        }
        self.stream.exact(length).map(Some)
    }
    fn end_query(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    fn begin_load(&mut self, _: &str, _: &[(String, NativeType)]) -> Result<(), Failure> {
        Ok(())
    }
    fn load(&mut self, _: &[u8]) -> Result<(), Failure> {
        Ok(())
    }
    fn end_load(&mut self, _: bool) -> Result<u64, Failure> {
        Ok(0)
    }
    fn begin_snapshot(&mut self) -> Result<(), Failure> {
        Ok(())
    }
    fn end_snapshot(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

dvt_plugin_sdk::export_wire_adapter!(crate::Rogue);
