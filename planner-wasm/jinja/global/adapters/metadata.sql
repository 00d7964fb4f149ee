{# What exists, as queries: for projects and packages that ask or override; dvt itself asks the adapter's plugin. #}
{% macro information_schema_name(database) -%}{{ return(adapter.dispatch('information_schema_name', 'dbt')(database)) }}{%- endmacro %}
{% macro default__information_schema_name(database) -%}{{ database ~ '.' if database }}INFORMATION_SCHEMA{%- endmacro %}

{% macro list_relations_without_caching(schema_relation) -%}{{ return(adapter.dispatch('list_relations_without_caching', 'dbt')(schema_relation)) }}{%- endmacro %}
{% macro default__list_relations_without_caching(schema_relation) -%}
  {%- call statement('list_relations_without_caching', fetch_result=True) -%}
select
    table_catalog as database,
    table_name as name,
    table_schema as schema,
    case table_type when 'VIEW' then 'view' else 'table' end as type
from information_schema.tables
where lower(table_schema) = lower('{{ schema_relation.schema | replace("'", "''") }}')
  {%- endcall -%}
  {{ return(load_result('list_relations_without_caching').table if execute else none) }}
{%- endmacro %}

{% macro get_catalog(information_schema, schemas) -%}{{ return(adapter.dispatch('get_catalog', 'dbt')(information_schema, schemas)) }}{%- endmacro %}
{% macro default__get_catalog(information_schema, schemas) -%}
  {%- set wanted = [] -%}
  {%- for schema in schemas -%}{%- do wanted.append("lower(t.table_schema) = lower('" ~ (schema | replace("'", "''")) ~ "')") -%}{%- endfor -%}
  {{ return(dvt_catalog(wanted)) }}
{%- endmacro %}
{% macro get_catalog_relations(information_schema, relations) -%}{{ return(adapter.dispatch('get_catalog_relations', 'dbt')(information_schema, relations)) }}{%- endmacro %}
{% macro default__get_catalog_relations(information_schema, relations) -%}
  {%- set wanted = [] -%}
  {%- for relation in relations -%}
    {%- set schema = "lower(t.table_schema) = lower('" ~ (relation.schema | replace("'", "''")) ~ "')" -%}
    {%- do wanted.append('(' ~ schema ~ (" and lower(t.table_name) = lower('" ~ (relation.identifier | replace("'", "''")) ~ "')" if relation.identifier else '') ~ ')') -%}
  {%- endfor -%}
  {{ return(dvt_catalog(wanted)) }}
{%- endmacro %}
{% macro get_catalog_for_single_relation(relation) -%}{{ return(adapter.dispatch('get_catalog_for_single_relation', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_catalog_for_single_relation(relation) -%}{{ return(get_catalog_relations(none, [relation])) }}{%- endmacro %}
{# dbt's catalog columns of the tables and views for which one of the conditions holds. #}
{% macro dvt_catalog(conditions) -%}
  {%- call statement('catalog', fetch_result=True) -%}
select
    t.table_catalog as table_database,
    t.table_schema as table_schema,
    t.table_name as table_name,
    t.table_type as table_type,
    cast(null as {{ type_string() }}) as table_comment,
    c.column_name as column_name,
    c.ordinal_position as column_index,
    c.data_type as column_type,
    cast(null as {{ type_string() }}) as column_comment,
    cast(null as {{ type_string() }}) as table_owner
from information_schema.tables t
join information_schema.columns c
    on c.table_catalog = t.table_catalog and c.table_schema = t.table_schema and c.table_name = t.table_name
where {{ conditions | join(' or ') if conditions else '1 = 0' }}
order by 2, 3, 7
  {%- endcall -%}
  {{ return(load_result('catalog').table if execute else none) }}
{%- endmacro %}

{% macro get_relation_last_modified(information_schema, relations) -%}{{ return(adapter.dispatch('get_relation_last_modified', 'dbt')(information_schema, relations)) }}{%- endmacro %}
{% macro default__get_relation_last_modified(information_schema, relations) -%}
  {{ exceptions.raise_not_implemented('get_relation_last_modified is not available for adapter ' ~ adapter.type()) }}
{%- endmacro %}

{% macro get_or_create_relation(database, schema, identifier, type) -%}
  {{ return(adapter.dispatch('get_or_create_relation', 'dbt')(database, schema, identifier, type)) }}
{%- endmacro %}
{# Whether it exists, and the relation. #}
{% macro default__get_or_create_relation(database, schema, identifier, type) -%}
  {%- set found = adapter.get_relation(database=database, schema=schema, identifier=identifier) -%}
  {%- if found is not none -%}{{ return([true, found]) }}{%- endif -%}
  {{ return([false, api.Relation.create(database=database, schema=schema, identifier=identifier, type=type)]) }}
{%- endmacro %}

{% macro validate_sql(sql) -%}{{ return(adapter.dispatch('validate_sql', 'dbt')(sql)) }}{%- endmacro %}
{% macro default__validate_sql(sql) -%}
  {%- call statement('validate_sql') -%}explain {{ sql }}{%- endcall -%}
  {{ return(load_result('validate_sql')) }}
{%- endmacro %}
{% macro is_core_v2() -%}{{ return(false) }}{%- endmacro %}
{% macro set_sql_header(config) -%}{{ config.set('sql_header', caller()) }}{%- endmacro %}
