//! How Spark reads and writes the outsider's `nearpg`: a connector in code, with nothing but the SDK.

use dvt_plugin_sdk::engines::{Artifact, Connector, ConnectorOptions, Meaning};
use dvt_plugin_sdk::{Failure, NativeType, Profile};

pub struct NearPg;

impl Connector for NearPg {
    fn options(profile: &Profile) -> Result<ConnectorOptions, Failure> {
        let (host, user, database) = (profile.require("host")?, profile.require("user")?, profile.require("dbname")?);
        let port = profile.text("port").unwrap_or_else(|| "5432".to_owned());
        let pairs = |all: &[(&str, &str)]| all.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Ok(ConnectorOptions {
            format: "jdbc".to_owned(),
            url: format!("jdbc:postgresql://{host}:{port}/{database}"),
            common: pairs(&[("driver", "org.postgresql.Driver"), ("user", &user), ("ApplicationName", "{tag}")]),
            reading: pairs(&[("fetchsize", "1000")]),
            writing: pairs(&[("batchsize", "1000"), ("stringtype", "unspecified")]),
            secret_options: if profile.has_secret("password") { pairs(&[("password", "password")]) } else { Vec::new() },
            artifacts: vec![Artifact { coordinates: "org.postgresql:postgresql:42.7.4".to_owned(), files: vec!["postgresql*.jar".to_owned()], debian: String::new(), advice: "it is the product's own".to_owned() }],
            engine_settings: Vec::new(),
        })
    }
    fn read_cast(native: &NativeType) -> Result<Option<String>, String> {
        match native.name.as_str() {
            "smallint" | "integer" | "bigint" | "text" | "character varying" => Ok(None),
            "numeric" if !native.arguments.is_empty() => Ok(None),
            "date" => Ok(Some("cast({} as text)".to_owned())),
            _ => Err(format!("the type {} is not carried", native.text)),
        }
    }
    fn write_cast(canonical: &NativeType) -> Result<Option<String>, String> {
        Ok((canonical.name == "date").then(|| "cast({} as string)".to_owned()))
    }
    fn cancel_sql(_: &str) -> Option<String> {
        None
    }
    fn classify(_: &str, _: Option<&str>, _: &str) -> Meaning {
        Meaning::default()
    }
}

dvt_plugin_sdk::export_connector!(crate::NearPg);
