{# What PostgreSQL writes otherwise. #}
{# A schema's name has no database before it here. #}
{% macro postgres__create_schema(relation) -%}
  {%- call statement('create_schema') -%}create schema if not exists {{ relation.without_identifier().include(database=False) }}{%- endcall -%}
{%- endmacro %}
{% macro postgres__drop_schema(relation) -%}
  {%- call statement('drop_schema') -%}drop schema if exists {{ relation.without_identifier().include(database=False) }} cascade{%- endcall -%}
{%- endmacro %}
{% macro postgres__drop_relation(relation) -%}
  {%- call statement('drop_relation', auto_begin=False) -%}
    drop {{ relation.type | replace('_', ' ') }} if exists {{ relation }} cascade
  {%- endcall -%}
{%- endmacro %}

{# Views that read the table go with it when it is dropped: it is emptied and filled instead. #}
{% macro postgres__dvt_has_dependents(relation) -%}
  {%- set found = run_query("select count(*) from pg_catalog.pg_depend d join pg_catalog.pg_rewrite r on r.oid = d.objid join pg_catalog.pg_class c on c.oid = d.refobjid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where d.classid = 'pg_catalog.pg_rewrite'::regclass and d.deptype = 'n' and r.ev_class <> c.oid and n.nspname = '" ~ (relation.schema | replace("'", "''")) ~ "' and c.relname = '" ~ (relation.identifier | replace("'", "''")) ~ "'") -%}
  {{ return(found.rows[0][0] | int > 0) }}
{%- endmacro %}

{% macro postgres__get_incremental_default_sql(arg_dict) -%}
  {%- if arg_dict['unique_key'] -%}{{ return(get_incremental_delete_insert_sql(arg_dict)) }}{%- endif -%}
  {{ return(get_incremental_append_sql(arg_dict)) }}
{%- endmacro %}
