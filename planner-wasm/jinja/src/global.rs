//! The built-in macro package: dbt's macro names and arguments, our text.

/// Path and text of each file.
pub const FILES: &[(&str, &str)] = &[
    ("macros/adapters/relations.sql", include_str!("../global/adapters/relations.sql")),
    ("macros/adapters/schema.sql", include_str!("../global/adapters/schema.sql")),
    ("macros/cross_db.sql", include_str!("../global/cross_db.sql")),
    ("macros/etc.sql", include_str!("../global/etc.sql")),
    ("macros/generate_names.sql", include_str!("../global/generate_names.sql")),
    ("macros/generic_tests.sql", include_str!("../global/generic_tests.sql")),
    ("macros/materializations/hooks.sql", include_str!("../global/materializations/hooks.sql")),
    ("macros/materializations/incremental.sql", include_str!("../global/materializations/incremental.sql")),
    ("macros/materializations/seed.sql", include_str!("../global/materializations/seed.sql")),
    ("macros/materializations/strategies.sql", include_str!("../global/materializations/strategies.sql")),
    ("macros/materializations/table.sql", include_str!("../global/materializations/table.sql")),
    ("macros/materializations/view.sql", include_str!("../global/materializations/view.sql")),
];
