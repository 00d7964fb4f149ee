{# What DuckDB does otherwise when nodes are built. #}
{% macro duckdb__snapshot_merge_sql(target, source, insert_cols) -%}{{ return(dvt_snapshot_update_insert_sql(target, source, insert_cols)) }}{%- endmacro %}
{% macro duckdb__dvt_constraint_support(type) -%}{{ return('enforced') }}{%- endmacro %}
{% macro duckdb__apply_grants(relation, grant_config, should_revoke=True) -%}{{ dvt_no_grants(relation, grant_config) }}{%- endmacro %}
{% macro duckdb__get_create_index_sql(relation, index_dict) -%}{{ return(dvt_create_index(relation, index_dict)) }}{%- endmacro %}
{# A key lies in its own file: a name with the file's counts as another's. #}
{% macro duckdb__dvt_key_relation(call) -%}{{ return(render('{{ (' ~ call ~ ').include(database=false) }}')) }}{%- endmacro %}
{# As dbt's adapter: a key would do nothing, so it is refused. #}
{% macro duckdb__get_incremental_microbatch_sql(arg_dict) -%}
  {%- if arg_dict['unique_key'] -%}
    {{ __dvt_fail('DVT1011', 'the microbatch model `' ~ model.name ~ '` has a `unique_key`, which microbatch does not use on this product', 'take unique_key away, or use incremental_strategy: merge') }}
  {%- endif -%}
  {{ return(default__get_incremental_microbatch_sql(arg_dict)) }}
{%- endmacro %}
{# Its MERGE updates one row by two and keeps either. #}
{% macro duckdb__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- if unique_key -%}{{ dvt_refuse_repeated_keys(target, source, [unique_key] if unique_key is string else unique_key) }}{%- endif -%}
  {{ return(default__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates)) }}
{%- endmacro %}
