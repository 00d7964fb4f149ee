{# What PostgreSQL does otherwise when nodes are built. #}
{% macro postgres__snapshot_get_time() -%}{{ return(current_timestamp() ~ '::timestamp without time zone') }}{%- endmacro %}
{% macro postgres__snapshot_merge_sql(target, source, insert_cols) -%}{{ return(dvt_snapshot_update_insert_sql(target, source, insert_cols)) }}{%- endmacro %}
{# A literal has no type of its own here. #}
{% macro postgres__dvt_snapshot_flag(value) -%}{{ return("'" ~ value ~ "'::text") }}{%- endmacro %}

{% macro postgres__create_table_as(temporary, relation, sql) -%}
{{ statement_sql_header() }}
  {%- set kind = 'temporary table' if temporary else ('unlogged table' if config.get('unlogged') else 'table') -%}
  {%- if dvt_contract_enforced() and not temporary -%}
{{ dvt_create_from_contract('create ' ~ kind ~ ' ' ~ relation, relation, sql) }}
  {%- else %}
create {{ kind }} {{ relation.include(database=(not temporary), schema=(not temporary)) }}
as (
{{ sql }}
)
  {%- endif -%}
{%- endmacro %}
{% macro postgres__dvt_constraint_support(type) -%}{{ return('enforced') }}{%- endmacro %}

{% macro postgres__copy_grants() -%}{{ return(False) }}{%- endmacro %}
{% macro postgres__get_show_grant_sql(relation) -%}
select grantee, privilege_type from information_schema.role_table_grants
where grantor = current_role and grantee <> current_role
  and table_schema = '{{ escape_single_quotes(relation.schema) }}' and table_name = '{{ escape_single_quotes(relation.identifier) }}'
{%- endmacro %}

{% macro postgres__get_create_index_sql(relation, index_dict) -%}{{ return(dvt_create_index(relation, index_dict)) }}{%- endmacro %}
{% macro postgres__get_drop_index_sql(relation, index_name) -%}
drop index if exists {{ adapter.quote(relation.schema) }}.{{ adapter.quote(index_name) }}
{%- endmacro %}
{% macro postgres__get_show_indexes_sql(relation) -%}
select i.relname as name, m.amname as method, x.indisunique as "unique", array_to_string(array_agg(a.attname order by a.attnum), ',') as column_names
from pg_catalog.pg_index x
join pg_catalog.pg_class i on i.oid = x.indexrelid
join pg_catalog.pg_am m on m.oid = i.relam
join pg_catalog.pg_class t on t.oid = x.indrelid
join pg_catalog.pg_namespace n on n.oid = t.relnamespace
join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attnum = any(x.indkey)
where t.relname = '{{ escape_single_quotes(relation.identifier) }}' and n.nspname = '{{ escape_single_quotes(relation.schema) }}'
group by 1, 2, 3 order by 1
{%- endmacro %}

{% macro postgres__get_create_materialized_view_as_sql(relation, sql) -%}
create materialized view if not exists {{ relation }} as {{ sql }}
{%- endmacro %}
{% macro postgres__get_materialized_view_configuration_changes(existing_relation, new_config) -%}
  {%- set wanted = [] -%}
  {%- for index in config.get('indexes') or [] -%}{%- do wanted.append(dvt_index_name(existing_relation, index)) -%}{%- endfor -%}
  {%- set there = [] -%}{%- set gone = [] -%}
  {%- for row in run_query("select i.relname::text as name from pg_catalog.pg_index x join pg_catalog.pg_class i on i.oid = x.indexrelid where x.indrelid = '" ~ existing_relation.render() ~ "'::regclass") -%}
    {%- do there.append(row['name']) -%}
    {%- if row['name'] not in wanted -%}{%- do gone.append(get_drop_index_sql(existing_relation, row['name'])) -%}{%- endif -%}
  {%- endfor -%}
  {%- set added = wanted | reject('in', there) | list -%}
  {{ return(gone or (['select 1'] if added else none)) }}
{%- endmacro %}
{# As dbt's adapter: a merge by key. #}
{% macro postgres__get_incremental_microbatch_sql(arg_dict) -%}
  {%- if not arg_dict['unique_key'] -%}
    {{ __dvt_fail('DVT1011', 'the microbatch model `' ~ model.name ~ '` has no `unique_key`', 'microbatch merges by key on this product: set unique_key') }}
  {%- endif -%}
  {{ return(get_incremental_merge_sql(arg_dict)) }}
{%- endmacro %}
