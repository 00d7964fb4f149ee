{# What MySQL and MariaDB write otherwise. Every DDL statement commits what is open. #}
{% macro mysql__dvt_ddl_commits() -%}{{ return(True) }}{%- endmacro %}

{% macro mysql__create_table_as(temporary, relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() and not temporary -%}
{{ dvt_create_from_contract('create table ' ~ relation, relation, sql) }}
  {%- else %}
create {% if temporary %}temporary {% endif %}table {{ relation }} as
{{ sql }}
  {%- endif -%}
{%- endmacro %}
{% macro mysql__create_view_as(relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() -%}{{ get_assert_columns_equivalent(sql) }}{%- endif %}
create view {{ relation }} as
{{ sql }}
{%- endmacro %}
{% macro mysql__drop_schema(relation) -%}
  {%- call statement('drop_schema') -%}drop schema if exists {{ relation.without_identifier() }}{%- endcall -%}
{%- endmacro %}
{% macro mysql__rename_relation(from_relation, to_relation) -%}
  {%- call statement('rename_relation', auto_begin=False) -%}rename table {{ from_relation }} to {{ to_relation }}{%- endcall -%}
{%- endmacro %}
{% macro mysql__alter_column_type(relation, column_name, new_column_type) -%}
  {%- call statement('alter_column_type') -%}alter table {{ relation }} modify column {{ adapter.quote(column_name) }} {{ new_column_type }}{%- endcall -%}
{%- endmacro %}

{% macro mysql__dvt_clean_up(relation) -%}
  {%- for left in [make_backup_relation(relation), make_intermediate_relation(relation)] -%}
    {{ drop_relation_if_exists(load_relation(left)) }}
  {%- endfor -%}
{%- endmacro %}

{# One RENAME puts the new one in and the old one aside: readers see one or the other (SPEC T7). #}
{% macro mysql__dvt_publish(target_relation, new_relation) -%}
  {%- set existing = load_relation(target_relation) -%}
  {%- if existing is none -%}
    {{ adapter.rename_relation(new_relation, target_relation) }}
  {%- else -%}
    {%- set backup = make_backup_relation(target_relation, existing.type) -%}
    {{ drop_relation_if_exists(load_relation(make_backup_relation(target_relation))) }}
    {%- call statement('publish', auto_begin=False) -%}rename table {{ existing }} to {{ backup }}, {{ new_relation }} to {{ target_relation }}{%- endcall -%}
    {%- do adapter.cache_renamed(new_relation, target_relation) -%}
    {{ adapter.drop_relation(backup) }}
  {%- endif -%}
{%- endmacro %}

{# A view is replaced in one statement; a table in its place is put aside by the same RENAME that puts the view in. #}
{% materialization view, adapter='mysql' %}
  {%- set target_relation = this.incorporate(type='view') -%}
  {%- set existing = load_relation(target_relation) -%}
  {{ dvt_clean_up(target_relation) }}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {%- if existing is none or existing.is_view -%}
    {%- call statement('main') -%}
{{ statement_sql_header() }}
create or replace view {{ target_relation }} as
{{ sql }}
    {%- endcall -%}
  {%- else -%}
    {%- set new_relation = make_intermediate_relation(target_relation).incorporate(type='view') -%}
    {{ drop_relation_if_exists(load_relation(new_relation)) }}
    {%- call statement('main') -%}{{ get_create_view_as_sql(new_relation, sql) }}{%- endcall -%}
    {{ dvt_publish(target_relation, new_relation) }}
  {%- endif -%}
  {{ dvt_close_build(target_relation, existing) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# No MERGE statement: what matches is updated, what does not is inserted, in the publishing transaction. #}
{% macro mysql__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set updated = get_merge_update_columns(config.get('merge_update_columns'), config.get('merge_exclude_columns'), dest_columns) -%}
  {%- set keys = ([unique_key] if unique_key is string else unique_key) or [] -%}
  {%- set same = [] -%}
  {%- for key in keys -%}{%- do same.append('DBT_INTERNAL_SOURCE.' ~ key ~ ' = DBT_INTERNAL_DEST.' ~ key) -%}{%- endfor -%}
  {%- if keys -%}
    {{ dvt_refuse_repeated_keys(target, source, keys) }}
update {{ target }} as DBT_INTERNAL_DEST
join {{ source }} as DBT_INTERNAL_SOURCE on {{ (same + (incremental_predicates or [])) | join(' and ') }}
set {% for column in updated -%}DBT_INTERNAL_DEST.{{ column }} = DBT_INTERNAL_SOURCE.{{ column }}{{ ', ' if not loop.last }}{%- endfor %};
insert into {{ target }} ({{ columns }})
select {{ columns }} from {{ source }} as DBT_INTERNAL_SOURCE
where not exists (select 1 from {{ target }} as DBT_INTERNAL_DEST where {{ (same + (incremental_predicates or [])) | join(' and ') }})
  {%- else -%}
{{ get_insert_into_sql(target, source, dest_columns) }}
  {%- endif -%}
{%- endmacro %}
