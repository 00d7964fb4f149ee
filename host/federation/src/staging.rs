//! Names and DDL of staging tables.
//!
//! Not here: what stands in them, and who publishes them.

use dvt_planner::dialect::DialectSheet;
use dvt_project::RelationName;

/// Where the rows of one run wait beside `relation`: `<identifier>__dvt_<run8>` in the same schema.
///
/// `limit` is the product's identifier length in bytes, 0 for none; a long name is cut and told apart by a hash.
pub fn staging_name(relation: &RelationName, run: &str, limit: usize) -> RelationName {
    let run: String = run.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    relation.beside(&format!("__dvt_{run}"), limit)
}

/// `columns` are name and DDL type.
pub(crate) fn create_table(sheet: &DialectSheet, name: &RelationName, columns: &[(String, String)]) -> String {
    let list: Vec<String> = columns.iter().map(|(name, kind)| format!("{} {kind}", sheet.quote(name))).collect();
    format!("CREATE TABLE {} ({})", sheet.render(name), list.join(", "))
}

/// Removes a staging table if it is there.
pub fn drop_table(sheet: &DialectSheet, name: &RelationName) -> String {
    format!("DROP TABLE IF EXISTS {}", sheet.render(name))
}

#[cfg(test)]
mod tests {
    use super::staging_name;
    use dvt_project::RelationName;

    fn named(identifier: &str) -> RelationName {
        RelationName { database: None, schema: Some("s".into()), identifier: identifier.into() }
    }

    #[test]
    fn a_staging_name_fits_the_limit_and_stays_unique() {
        assert_eq!(staging_name(&named("orders"), "0a1b2c3d-44", 63).identifier, "orders__dvt_0a1b2c3d");
        let a = staging_name(&named(&"ä".repeat(60)), "0a1b2c3d", 63).identifier;
        let b = staging_name(&named(&format!("{}x", "ä".repeat(60))), "0a1b2c3d", 63).identifier;
        assert!(a.len() <= 63 && b.len() <= 63);
        assert_ne!(a, b);
    }
}
