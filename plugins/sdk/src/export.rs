//! The macros that turn a trait's implementation into a component's exports.

/// Exports a type that implements [`Adapter`](crate::Adapter) as the world `adapter-plugin`.
#[macro_export]
macro_rules! export_adapter {
    ($adapter:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            $crate::adapter_exports!($adapter);
        }
        #[cfg(target_arch = "wasm32")]
        $crate::adapter_world::export_adapter_world!(Exported with_types_in $crate::adapter_world);
    };
}

/// Exports a type that implements [`Wire`](crate::wire::Wire) as the world `wire-plugin`.
#[macro_export]
macro_rules! export_wire_adapter {
    ($adapter:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            $crate::adapter_exports!($adapter);
            $crate::wire_exports!();
        }
        #[cfg(target_arch = "wasm32")]
        $crate::adapter_world::export_adapter_world!(Exported with_types_in $crate::adapter_world);
        #[cfg(target_arch = "wasm32")]
        $crate::connection_world::export_connection_world!(Exported with_types_in $crate::connection_world);
    };
}

/// What every adapter exports.
#[doc(hidden)]
#[macro_export]
macro_rules! adapter_exports {
    ($adapter:ty) => {
        use $crate::adapter_world::dvt::plugin::log;
        use $crate::adapter_world::exports::dvt::plugin::{adapter, dialect};
        use $crate::{Adapter, Failure, NativeType, Profile, Relation};

        type A = $adapter;

        fn start() {
            $crate::report_panics(|m| log::write(log::Level::Error, m));
        }
        fn error(f: Failure) -> adapter::Error {
            adapter::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: f.sqlstate }
        }

        impl dialect::Guest for Exported {
            fn sheet() -> String {
                A::SHEET.to_owned()
            }
            fn macros() -> Vec<(String, String)> {
                A::MACROS.iter().map(|(p, t)| ((*p).to_owned(), (*t).to_owned())).collect()
            }
            fn capabilities(server_version: String) -> dialect::CapabilitySet {
                start();
                dialect::CapabilitySet { merge_statement: A::merge_statement(&server_version), transactional_ddl: true, materialized_view: false }
            }
        }

        impl adapter::Guest for Exported {
            fn connect(profile: String, secrets: Vec<String>) -> Result<adapter::ConnectPlan, adapter::Error> {
                start();
                let plan = Profile::read(&profile, secrets).and_then(|p| A::connect(&p)).map_err(error)?;
                Ok(adapter::ConnectPlan {
                    driver: plan.driver,
                    options: plan.options,
                    secret_options: plan.secret_options,
                    session_setup: plan.session_setup,
                    endpoint: plan.endpoint,
                })
            }
            fn catalog_sql(relations: Vec<adapter::RelationName>) -> Result<String, adapter::Error> {
                start();
                let all: Vec<Relation> =
                    relations.into_iter().map(|r| Relation { database: r.database, schema: r.schema, identifier: r.identifier }).collect();
                A::catalog_sql(&all).map_err(error)
            }
            fn list_sql(database: Option<String>, schema: String) -> Result<String, adapter::Error> {
                start();
                A::list_sql(database.as_deref(), &schema).map_err(error)
            }
            fn map_native(columns: Vec<adapter::NativeColumn>) -> Result<Vec<adapter::MappedColumn>, adapter::Error> {
                start();
                Ok(columns
                    .iter()
                    .map(|c| match A::canonical(&NativeType::parse(&c.native)) {
                        Ok(canonical) => adapter::MappedColumn { canonical: Some(canonical), refused: None },
                        Err(why) => adapter::MappedColumn { canonical: None, refused: Some(why) },
                    })
                    .collect())
            }
            fn ddl_types(canonical: Vec<String>) -> Result<Vec<String>, adapter::Error> {
                start();
                canonical
                    .iter()
                    .map(|c| {
                        A::ddl(&NativeType::parse(c)).ok_or_else(|| {
                            error(Failure::new("DVT011", format!("this product has no type for {c}")).hint("cast the column in the model"))
                        })
                    })
                    .collect()
            }
            fn classify_error(sqlstate: Option<String>, message: String) -> adapter::Classified {
                start();
                let (code, hint) = A::classify(sqlstate.as_deref(), &message);
                adapter::Classified { code, hint }
            }
        }
    };
}

/// A session's exports; inside the module that `adapter_exports` fills.
#[doc(hidden)]
#[macro_export]
macro_rules! wire_exports {
    () => {
        use $crate::wire::{Grant, Options, Session, Wire, Want};
        use $crate::connection_world::exports::dvt::plugin::connection;

        /// The plugin's session as the contract's resource.
        pub struct Held(std::cell::RefCell<<A as Wire>::Session>);

        impl Held {
            fn with<T>(&self, work: impl FnOnce(&mut <A as Wire>::Session) -> Result<T, Failure>) -> Result<T, connection::Error> {
                start();
                work(&mut self.0.borrow_mut()).map_err(fault)
            }
        }

        fn fault(f: Failure) -> connection::Error {
            connection::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: f.sqlstate }
        }

        impl connection::GuestSession for Held {
            fn server_version(&self) -> Result<String, connection::Error> {
                self.with(|s| s.server_version())
            }
            fn execute(&self, sql: String) -> Result<connection::Executed, connection::Error> {
                let (rows, tag) = self.with(|s| s.execute(&sql))?;
                Ok(connection::Executed { rows, tag })
            }
            fn describe(&self, sql: String) -> Result<Vec<connection::NativeColumn>, connection::Error> {
                let columns = self.with(|s| s.describe(&sql))?;
                Ok(columns.into_iter().map(|(name, native)| connection::NativeColumn { name, native, collation: None }).collect())
            }
            fn query(&self, sql: String, want: Option<Vec<String>>, limit: Option<u64>) -> Result<(), connection::Error> {
                let want: Want = want.map(|all| all.iter().map(|t| NativeType::parse(t)).collect());
                self.with(|s| s.query(&sql, want, limit))
            }
            fn next(&self) -> Result<Option<Vec<u8>>, connection::Error> {
                self.with(|s| s.next())
            }
            fn end_query(&self) -> Result<(), connection::Error> {
                self.with(|s| s.end_query())
            }
            fn begin_load(&self, table: String, columns: Vec<connection::LoadColumn>) -> Result<(), connection::Error> {
                let columns: Vec<(String, NativeType)> = columns.into_iter().map(|c| (c.name, NativeType::parse(&c.canonical))).collect();
                self.with(|s| s.begin_load(&table, &columns))
            }
            fn load(&self, batch: Vec<u8>) -> Result<(), connection::Error> {
                self.with(|s| s.load(&batch))
            }
            fn end_load(&self, keep: bool) -> Result<u64, connection::Error> {
                self.with(|s| s.end_load(keep))
            }
            fn begin_snapshot(&self) -> Result<(), connection::Error> {
                self.with(|s| s.begin_snapshot())
            }
            fn end_snapshot(&self) -> Result<(), connection::Error> {
                self.with(|s| s.end_snapshot())
            }
            fn cancel_request(&self) -> Option<Vec<u8>> {
                self.0.borrow().cancel_request()
            }
        }

        impl connection::Guest for Exported {
            type Session = Held;

            fn open(options: Vec<(String, String)>) -> Result<connection::Session, connection::Error> {
                start();
                let session = <A as Wire>::open(&Options::new(options), &Grant).map_err(fault)?;
                Ok(connection::Session::new(Held(std::cell::RefCell::new(session))))
            }
        }
    };
}

/// What every compute exports.
#[doc(hidden)]
#[macro_export]
macro_rules! compute_exports {
    ($compute:ty) => {
        use $crate::compute_world::exports::dvt::plugin::compute;
        use $crate::{Compute, Failure, NativeType};

        type C = $compute;

        fn error(f: Failure) -> compute::Error {
            compute::Error { code: f.code, message: f.message, hint: f.hint, sqlstate: f.sqlstate }
        }

        impl compute::Guest for Exported {
            fn plan(config: String) -> Result<compute::EnginePlan, compute::Error> {
                let config = $crate::json(&config).map_err(error)?;
                let (engine, settings, dialect) = C::plan(&config).map_err(error)?;
                Ok(compute::EnginePlan { engine, settings, dialect })
            }
            fn map_native(columns: Vec<compute::NativeColumn>) -> Result<Vec<compute::MappedColumn>, compute::Error> {
                Ok(columns
                    .iter()
                    .map(|c| match C::canonical(&NativeType::parse(&c.native)) {
                        Ok(canonical) => compute::MappedColumn { canonical: Some(canonical), refused: None },
                        Err(why) => compute::MappedColumn { canonical: None, refused: Some(why) },
                    })
                    .collect())
            }
        }
    };
}

/// Exports a type that implements [`Compute`](crate::Compute) as the world `compute-plugin`.
#[macro_export]
macro_rules! export_compute {
    ($compute:ty) => {
        struct Exported;
        mod exported {
            use super::Exported;
            $crate::compute_exports!($compute);
        }
        #[cfg(target_arch = "wasm32")]
        $crate::compute_world::export_compute_world!(Exported with_types_in $crate::compute_world);
    };
}
