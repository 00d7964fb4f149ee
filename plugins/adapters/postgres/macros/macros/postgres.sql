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

{% macro postgres__current_timestamp() -%}now(){%- endmacro %}
{% macro postgres__type_timestamp() -%}timestamp without time zone{%- endmacro %}
{% macro postgres__datediff(first_date, second_date, datepart) -%}
  {%- set a = '(' ~ first_date ~ ')::timestamp' -%}{%- set b = '(' ~ second_date ~ ')::timestamp' -%}
  {%- set years = "(date_part('year', " ~ b ~ ") - date_part('year', " ~ a ~ "))" -%}
  {%- if datepart == 'year' -%}{{ years }}
  {%- elif datepart == 'quarter' -%}({{ years }} * 4 + date_part('quarter', {{ b }}) - date_part('quarter', {{ a }}))
  {%- elif datepart == 'month' -%}({{ years }} * 12 + date_part('month', {{ b }}) - date_part('month', {{ a }}))
  {%- elif datepart == 'week' -%}((date_trunc('week', {{ b }})::date - date_trunc('week', {{ a }})::date) / 7)
  {%- elif datepart == 'day' -%}(({{ b }})::date - ({{ a }})::date)
  {%- elif datepart in ['hour', 'minute', 'second'] -%}
    {%- set unit = {'hour': 3600, 'minute': 60, 'second': 1}[datepart] -%}
    ((extract(epoch from date_trunc('{{ datepart }}', {{ b }})) - extract(epoch from date_trunc('{{ datepart }}', {{ a }})))::bigint / {{ unit }})
  {%- else -%}{{ exceptions.raise_compiler_error("datediff: unsupported datepart '" ~ datepart ~ "'") }}
  {%- endif -%}
{%- endmacro %}
{% macro postgres__any_value(expression) -%}min({{ expression }}){%- endmacro %}
