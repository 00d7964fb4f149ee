{# Making, renaming and dropping tables and views. #}
{% macro load_relation(relation) -%}{{ return(adapter.load_relation(relation)) }}{%- endmacro %}
{% macro load_cached_relation(relation) -%}{{ return(adapter.load_relation(relation)) }}{%- endmacro %}

{% macro get_create_table_as_sql(temporary, relation, sql) -%}
  {{ adapter.dispatch('get_create_table_as_sql', 'dbt')(temporary, relation, sql) }}
{%- endmacro %}
{% macro default__get_create_table_as_sql(temporary, relation, sql) -%}{{ return(create_table_as(temporary, relation, sql)) }}{%- endmacro %}
{% macro create_table_as(temporary, relation, compiled_code, language='sql') -%}
  {{ return(adapter.dispatch('create_table_as', 'dbt')(temporary, relation, compiled_code)) }}
{%- endmacro %}
{% macro default__create_table_as(temporary, relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() and not temporary -%}
{{ dvt_create_from_contract('create table ' ~ relation, relation, sql) }}
  {%- else %}
create {% if temporary %}temporary {% endif %}table {{ relation.include(database=(not temporary), schema=(not temporary)) }}
as (
{{ sql }}
)
  {%- endif -%}
{%- endmacro %}

{% macro get_create_view_as_sql(relation, sql) -%}{{ adapter.dispatch('get_create_view_as_sql', 'dbt')(relation, sql) }}{%- endmacro %}
{% macro default__get_create_view_as_sql(relation, sql) -%}{{ return(create_view_as(relation, sql)) }}{%- endmacro %}
{% macro create_view_as(relation, sql) -%}{{ return(adapter.dispatch('create_view_as', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__create_view_as(relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() -%}{{ get_assert_columns_equivalent(sql) }}{%- endif %}
create view {{ relation }} as (
{{ sql }}
)
{%- endmacro %}

{% macro drop_relation(relation) -%}{{ adapter.dispatch('drop_relation', 'dbt')(relation) }}{%- endmacro %}
{% macro default__drop_relation(relation) -%}
  {%- call statement('drop_relation', auto_begin=False) -%}
    drop {{ relation.type | replace('_', ' ') }} if exists {{ relation }}
  {%- endcall -%}
{%- endmacro %}
{% macro drop_relation_if_exists(relation) -%}
  {%- if relation is not none -%}{{ adapter.drop_relation(relation) }}{%- endif -%}
{%- endmacro %}
{% macro truncate_relation(relation) -%}{{ adapter.dispatch('truncate_relation', 'dbt')(relation) }}{%- endmacro %}
{# Never TRUNCATE: readers with an older snapshot would see it as empty. #}
{% macro default__truncate_relation(relation) -%}
  {%- call statement('truncate_relation') -%}delete from {{ relation }}{%- endcall -%}
{%- endmacro %}
{% macro rename_relation(from_relation, to_relation) -%}{{ adapter.dispatch('rename_relation', 'dbt')(from_relation, to_relation) }}{%- endmacro %}
{% macro default__rename_relation(from_relation, to_relation) -%}
  {%- call statement('rename_relation', auto_begin=False) -%}
    alter table {{ from_relation }} rename to {{ adapter.quote(to_relation.identifier) }}
  {%- endcall -%}
{%- endmacro %}

{% macro make_intermediate_relation(base_relation, suffix='__dbt_tmp') -%}
  {{ return(adapter.dispatch('make_intermediate_relation', 'dbt')(base_relation, suffix)) }}
{%- endmacro %}
{% macro default__make_intermediate_relation(base_relation, suffix) -%}
  {{ return(base_relation.incorporate(path={'identifier': adapter.dvt_beside(base_relation.identifier, suffix)}, type='table')) }}
{%- endmacro %}
{% macro make_temp_relation(base_relation, suffix='__dbt_tmp') -%}
  {{ return(adapter.dispatch('make_temp_relation', 'dbt')(base_relation, suffix)) }}
{%- endmacro %}
{% macro default__make_temp_relation(base_relation, suffix) -%}
  {{ return(base_relation.incorporate(path={'identifier': adapter.dvt_beside(base_relation.identifier, suffix)}, type='table')) }}
{%- endmacro %}
{% macro make_backup_relation(base_relation, backup_relation_type='table', suffix='__dbt_backup') -%}
  {{ return(base_relation.incorporate(path={'identifier': adapter.dvt_beside(base_relation.identifier, suffix)}, type=backup_relation_type)) }}
{%- endmacro %}

{% macro get_columns_in_relation(relation) -%}{{ return(adapter.get_columns_in_relation(relation)) }}{%- endmacro %}
{% macro alter_column_type(relation, column_name, new_column_type) -%}
  {{ return(adapter.dispatch('alter_column_type', 'dbt')(relation, column_name, new_column_type)) }}
{%- endmacro %}
{% macro default__alter_column_type(relation, column_name, new_column_type) -%}
  {%- call statement('alter_column_type') -%}
    alter table {{ relation }} alter column {{ adapter.quote(column_name) }} type {{ new_column_type }}
  {%- endcall -%}
{%- endmacro %}
{% macro alter_relation_add_remove_columns(relation, add_columns=none, remove_columns=none) -%}
  {%- for column in add_columns or [] -%}
    {%- call statement('add_column') -%}alter table {{ relation }} add column {{ column.quoted }} {{ column.data_type }}{%- endcall -%}
  {%- endfor -%}
  {%- for column in remove_columns or [] -%}
    {%- call statement('drop_column') -%}alter table {{ relation }} drop column {{ column.quoted }}{%- endcall -%}
  {%- endfor -%}
{%- endmacro %}

{# Whether views or other objects read this table, so that it must keep its identity. #}
{% macro dvt_has_dependents(relation) -%}{{ return(adapter.dispatch('dvt_has_dependents', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__dvt_has_dependents(relation) -%}{{ return(False) }}{%- endmacro %}

{# Whether a DDL statement commits the open transaction: then DDL comes before what must be one transaction, or after it. #}
{% macro dvt_ddl_commits() -%}{{ return(adapter.dispatch('dvt_ddl_commits', 'dbt')()) }}{%- endmacro %}
{% macro default__dvt_ddl_commits() -%}{{ return(False) }}{%- endmacro %}

{# What a run that was killed between two statements may have left beside the relation; nothing where publishing is one transaction. #}
{% macro dvt_clean_up(relation) -%}{{ adapter.dispatch('dvt_clean_up', 'dbt')(relation) }}{%- endmacro %}
{% macro default__dvt_clean_up(relation) -%}{%- endmacro %}

{% macro dvt_same_columns(a, b) -%}
  {%- set mine = [] -%}{%- set theirs = [] -%}
  {%- for c in adapter.get_columns_in_relation(a) -%}{%- do mine.append([c.name, c.data_type]) -%}{%- endfor -%}
  {%- for c in adapter.get_columns_in_relation(b) -%}{%- do theirs.append([c.name, c.data_type]) -%}{%- endfor -%}
  {{ return(mine == theirs) }}
{%- endmacro %}

{# Publishing: the rows of `new_relation` become `target_relation` inside the open transaction; readers see the old
   table or the new one (SPEC T7). #}
{% macro dvt_publish(target_relation, new_relation) -%}{{ adapter.dispatch('dvt_publish', 'dbt')(target_relation, new_relation) }}{%- endmacro %}
{% macro default__dvt_publish(target_relation, new_relation) -%}
  {%- set existing = load_relation(target_relation) -%}
  {%- if existing is not none and existing.is_table and dvt_has_dependents(existing) and dvt_same_columns(existing, new_relation) -%}
    {%- call statement('publish_delete', auto_begin=False) -%}delete from {{ target_relation }}{%- endcall -%}
    {%- call statement('publish_insert', auto_begin=False) -%}insert into {{ target_relation }} select * from {{ new_relation }}{%- endcall -%}
    {{ adapter.drop_relation(new_relation) }}
  {%- else -%}
    {{ drop_relation_if_exists(existing) }}
    {{ adapter.rename_relation(new_relation, target_relation) }}
  {%- endif -%}
{%- endmacro %}
