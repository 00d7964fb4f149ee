//! The tables, and how an older file becomes a current one.

/// Version of the tables below; [`MIGRATIONS`] has one step for each.
pub const SCHEMA_VERSION: i64 = MIGRATIONS.len() as i64;

/// Step `i` turns version `i` into version `i + 1`. Steps are never edited once released.
pub(crate) const MIGRATIONS: &[&str] = &["
CREATE TABLE syntax_rules (adapter TEXT, kind TEXT, name TEXT, value TEXT);
CREATE TABLE overrides (adapter TEXT, kind TEXT, name TEXT, value TEXT);
CREATE VIEW effective_rules AS
  SELECT adapter, kind, name, value, TRUE AS overridden FROM overrides
  UNION ALL
  SELECT adapter, kind, name, value, FALSE FROM syntax_rules s
  WHERE NOT EXISTS (SELECT 1 FROM overrides o WHERE o.adapter = s.adapter AND o.kind = s.kind AND o.name = s.name);
CREATE VIEW type_mappings AS SELECT adapter, name AS native, value AS canonical FROM effective_rules WHERE kind = 'types';
CREATE VIEW function_mappings AS SELECT adapter, name, value FROM effective_rules WHERE kind = 'functions';
CREATE TABLE relations (profile TEXT, target TEXT, endpoint TEXT, database_name TEXT, schema_name TEXT, identifier TEXT,
  est_rows BIGINT, est_bytes BIGINT, read_at TEXT);
CREATE TABLE columns (profile TEXT, target TEXT, endpoint TEXT, database_name TEXT, schema_name TEXT, identifier TEXT,
  position INTEGER, name TEXT, native TEXT, canonical TEXT, collation_class TEXT, refused TEXT);
CREATE TABLE runs (invocation TEXT, project TEXT, command TEXT, started_at TEXT, ended_at TEXT, success BOOLEAN);
CREATE TABLE nodes (invocation TEXT, unique_id TEXT, path TEXT, target TEXT, status TEXT, result_rows BIGINT, seconds DOUBLE);
CREATE TABLE movements (invocation TEXT, unique_id TEXT, source TEXT, relation TEXT, moved_rows BIGINT, moved_bytes BIGINT);
", "
CREATE TABLE reads (profile TEXT, target TEXT, endpoint TEXT, statement TEXT, found_rows BIGINT, read_at TEXT);
"];
