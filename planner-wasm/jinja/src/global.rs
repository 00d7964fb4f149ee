//! The built-in macro package: dbt's macro names and arguments, our text.

/// Path and text of each file.
pub const FILES: &[(&str, &str)] = &[
    ("macros/adapters/columns.sql", include_str!("../global/adapters/columns.sql")),
    ("macros/adapters/docs.sql", include_str!("../global/adapters/docs.sql")),
    ("macros/adapters/grants.sql", include_str!("../global/adapters/grants.sql")),
    ("macros/adapters/indexes.sql", include_str!("../global/adapters/indexes.sql")),
    ("macros/adapters/relations.sql", include_str!("../global/adapters/relations.sql")),
    ("macros/adapters/schema.sql", include_str!("../global/adapters/schema.sql")),
    ("macros/cross_db.sql", include_str!("../global/cross_db.sql")),
    ("macros/etc.sql", include_str!("../global/etc.sql")),
    ("macros/generate_names.sql", include_str!("../global/generate_names.sql")),
    ("macros/generic_tests.sql", include_str!("../global/generic_tests.sql")),
    ("macros/materializations/hooks.sql", include_str!("../global/materializations/hooks.sql")),
    ("macros/materializations/incremental.sql", include_str!("../global/materializations/incremental.sql")),
    ("macros/materializations/materialized_view.sql", include_str!("../global/materializations/materialized_view.sql")),
    ("macros/materializations/seed.sql", include_str!("../global/materializations/seed.sql")),
    ("macros/materializations/snapshot.sql", include_str!("../global/materializations/snapshot.sql")),
    ("macros/materializations/snapshot_strategies.sql", include_str!("../global/materializations/snapshot_strategies.sql")),
    ("macros/materializations/strategies.sql", include_str!("../global/materializations/strategies.sql")),
    ("macros/materializations/table.sql", include_str!("../global/materializations/table.sql")),
    ("macros/materializations/test.sql", include_str!("../global/materializations/test.sql")),
    ("macros/materializations/unit.sql", include_str!("../global/materializations/unit.sql")),
    ("macros/materializations/view.sql", include_str!("../global/materializations/view.sql")),
];
