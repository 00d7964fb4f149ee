{# A snapshot: a table that keeps every version of a row. The first run makes it, later runs close what changed and
   add what is new, in one transaction: readers see the old state or the new one. #}
{% materialization snapshot, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set strategy_name = config.get('strategy') -%}
  {%- if not strategy_name or not config.get('unique_key') -%}
    {{ __dvt_fail('DVT1011', 'snapshot `' ~ model.name ~ '` has no `' ~ ('unique_key' if strategy_name else 'strategy') ~ '`', "set strategy ('timestamp' with updated_at, or 'check' with check_cols) and unique_key in its config") }}
  {%- endif -%}
  {{ dvt_clean_up(target_relation) }}
  {{ dvt_open_build() }}
  {%- set existing = load_relation(this) -%}
  {%- if existing is not none and not existing.is_table -%}
    {{ __dvt_fail('DVT1011', 'the snapshot ' ~ this ~ ' would replace a ' ~ existing.type ~ ' of that name', 'drop or rename it, or give the snapshot another alias or schema') }}
  {%- endif -%}
  {%- set strategy_macro = strategy_dispatch(strategy_name) -%}
  {%- set strategy = strategy_macro(model, 'snapshotted_data', 'source_data', model['config'], existing is not none) -%}
  {%- set staging = none -%}
  {%- if existing is none -%}
    {%- set new_relation = make_intermediate_relation(target_relation) -%}
    {{ drop_relation_if_exists(load_relation(new_relation)) }}
    {%- call statement('main') -%}{{ create_table_as(False, new_relation, build_snapshot_table(strategy, model['compiled_code'])) }}{%- endcall -%}
    {{ dvt_publish(target_relation, new_relation) }}
    {%- do create_indexes(target_relation) -%}
  {%- else -%}
    {%- do adapter.assert_valid_snapshot_target_given_strategy(existing, dvt_snapshot_columns(), strategy) -%}
    {%- set staging = build_snapshot_staging_table(strategy, sql, target_relation) -%}
    {%- do adapter.expand_target_column_types(from_relation=staging, to_relation=target_relation) -%}
    {%- set own = ['dbt_change_type', 'dbt_unique_key'] -%}
    {%- if strategy.unique_key is not string -%}
      {%- for key in strategy.unique_key -%}{%- do own.append('dbt_unique_key_' ~ loop.index) -%}{%- endfor -%}
    {%- endif -%}
    {%- set added = [] -%}
    {%- for column in adapter.get_missing_columns(staging, target_relation) if column.name | lower not in own -%}{%- do added.append(column) -%}{%- endfor -%}
    {%- do create_columns(target_relation, added) -%}
    {%- set inserted = [] -%}
    {%- for column in adapter.get_columns_in_relation(staging) if column.name | lower not in own -%}{%- do inserted.append(adapter.quote(column.name)) -%}{%- endfor -%}
    {#- Where DDL commits, everything before was DDL: what follows is one transaction of its own. -#}
    {%- if dvt_ddl_commits() -%}{%- do adapter.commit() -%}{%- do adapter.begin() -%}{%- endif -%}
    {%- call statement('main', auto_begin=False) -%}{{ snapshot_merge_sql(target=target_relation, source=staging, insert_cols=inserted) }}{%- endcall -%}
    {%- if not dvt_ddl_commits() -%}{{ adapter.drop_relation(staging) }}{%- endif -%}
  {%- endif -%}
  {%- if existing is not none and dvt_ddl_commits() -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ adapter.drop_relation(staging) }}
  {%- endif -%}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=False)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- if existing is none or not dvt_ddl_commits() -%}{{ run_hooks(post_hooks, inside_transaction=True) }}{%- endif -%}
  {%- do adapter.commit() -%}
  {%- if staging is not none -%}{%- do post_snapshot(staging) -%}{%- endif -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{# The names of the columns that snapshots add, as snapshot_meta_column_names has them. #}
{% macro get_snapshot_table_column_names() -%}
  {%- set names = {} -%}
  {%- for name in ['dbt_valid_to', 'dbt_valid_from', 'dbt_scd_id', 'dbt_updated_at', 'dbt_is_deleted'] -%}{%- do names.update({name: name}) -%}{%- endfor -%}
  {{ return(names) }}
{%- endmacro %}
{% macro dvt_snapshot_columns() -%}{{ return(config.get('snapshot_table_column_names') or get_snapshot_table_column_names()) }}{%- endmacro %}

{% macro create_columns(relation, columns) -%}{{ adapter.dispatch('create_columns', 'dbt')(relation, columns) }}{%- endmacro %}
{% macro default__create_columns(relation, columns) -%}
  {%- for column in columns -%}
    {%- call statement('create_columns') -%}alter table {{ relation }} add column {{ adapter.quote(column.name) }} {{ column.data_type }}{%- endcall -%}
  {%- endfor -%}
{%- endmacro %}
{% macro post_snapshot(staging_relation) -%}{{ adapter.dispatch('post_snapshot', 'dbt')(staging_relation) }}{%- endmacro %}
{% macro default__post_snapshot(staging_relation) -%}{%- endmacro %}
{% macro get_true_sql() -%}{{ adapter.dispatch('get_true_sql', 'dbt')() }}{%- endmacro %}
{% macro default__get_true_sql() -%}{{ return('TRUE') }}{%- endmacro %}

{% macro build_snapshot_table(strategy, sql) -%}{{ adapter.dispatch('build_snapshot_table', 'dbt')(strategy, sql) }}{%- endmacro %}
{% macro default__build_snapshot_table(strategy, sql) -%}
  {%- set columns = dvt_snapshot_columns() -%}
select *,
    {{ strategy.scd_id }} as {{ columns.dbt_scd_id }},
    {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
    {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
    {{ get_dbt_valid_to_current(strategy, columns) }}
    {%- if strategy.hard_deletes == 'new_record' %},
    {{ dvt_snapshot_flag('False') }} as {{ columns.dbt_is_deleted }}
    {%- endif %}
from (
{{ sql }}
) sbq
{%- endmacro %}

{# Text, also where a bare literal has no type or one of its own length. #}
{% macro dvt_snapshot_flag(value) -%}{{ return(adapter.dispatch('dvt_snapshot_flag', 'dbt')(value)) }}{%- endmacro %}
{% macro default__dvt_snapshot_flag(value) -%}{{ return("'" ~ value ~ "'") }}{%- endmacro %}

{# NULL of the type of updated_at, or what dbt_valid_to_current says. #}
{% macro get_dbt_valid_to_current(strategy, columns) -%}
coalesce(nullif({{ strategy.updated_at }}, {{ strategy.updated_at }}), {{ config.get('dbt_valid_to_current') or 'null' }}) as {{ columns.dbt_valid_to }}
{%- endmacro %}

{# Whether a row of the snapshot is the newest of its key. #}
{% macro dvt_snapshot_is_current(column) -%}
  {%- set current = config.get('dbt_valid_to_current') -%}
  {%- if current -%}{{ return('(' ~ column ~ ' = ' ~ (current | trim) ~ ' or ' ~ column ~ ' is null)') }}{%- endif -%}
  {{ return(column ~ ' is null') }}
{%- endmacro %}

{% macro unique_key_fields(unique_key) -%}
  {%- if unique_key is string -%}
{{ unique_key }} as dbt_unique_key
  {%- else -%}
    {%- for key in unique_key -%}{{ key }} as dbt_unique_key_{{ loop.index }}{{ ', ' if not loop.last }}{%- endfor -%}
  {%- endif -%}
{%- endmacro %}
{% macro dvt_unique_key_names(unique_key) -%}
  {%- if unique_key is string -%}{{ return(['dbt_unique_key']) }}{%- endif -%}
  {%- set names = [] -%}
  {%- for key in unique_key -%}{%- do names.append('dbt_unique_key_' ~ loop.index) -%}{%- endfor -%}
  {{ return(names) }}
{%- endmacro %}
{% macro unique_key_join_on(unique_key, identifier, from_identifier) -%}
  {%- for name in dvt_unique_key_names(unique_key) -%}{{ identifier }}.{{ name }} = {{ from_identifier }}.{{ name }}{{ ' and ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
{% macro unique_key_is_null(unique_key, identifier) -%}{{ identifier }}.{{ dvt_unique_key_names(unique_key)[0] }} is null{%- endmacro %}
{% macro unique_key_is_not_null(unique_key, identifier) -%}{{ identifier }}.{{ dvt_unique_key_names(unique_key)[0] }} is not null{%- endmacro %}

{# One row for each change: `insert` is added, `update` and `delete` close the row of the same dbt_scd_id. #}
{% macro snapshot_staging_table(strategy, source_sql, target_relation) -%}{{ adapter.dispatch('snapshot_staging_table', 'dbt')(strategy, source_sql, target_relation) }}{%- endmacro %}
{% macro default__snapshot_staging_table(strategy, source_sql, target_relation) -%}
  {%- set columns = dvt_snapshot_columns() -%}
  {%- set keys = dvt_unique_key_names(strategy.unique_key) -%}
  {%- set names = get_columns_in_query(source_sql) -%}
  {%- set kept = adapter.get_columns_in_relation(target_relation) | map(attribute='name') | map('lower') | list -%}
  {%- set marks_deleted = strategy.hard_deletes == 'new_record' -%}
  {%- set now = snapshot_get_time() -%}
  {%- set is_deleted = 'snapshotted_data.' ~ columns.dbt_is_deleted ~ " = 'True'" -%}
  {%- set changed -%}({{ strategy.row_changed }}{{ ' or ' ~ is_deleted if marks_deleted }}){%- endset -%}
  {%- set joined = unique_key_join_on(strategy.unique_key, 'snapshotted_data', 'source_data') -%}
with snapshot_query as (
{{ source_sql }}
),
snapshotted_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }}
    from {{ target_relation }}
    where {{ dvt_snapshot_is_current(columns.dbt_valid_to) }}
),
source_data as (
    select *, {{ unique_key_fields(strategy.unique_key) }},
        {{ strategy.updated_at }} as {{ columns.dbt_updated_at }},
        {{ strategy.updated_at }} as {{ columns.dbt_valid_from }},
        {{ get_dbt_valid_to_current(strategy, columns) }},
        {{ strategy.scd_id }} as {{ columns.dbt_scd_id }}
    from snapshot_query
)
select 'insert' as dbt_change_type, {{ dvt_snapshot_list(names, 'source_data') }}, {{ dvt_snapshot_list(keys, 'source_data', plain=True) }},
    source_data.{{ columns.dbt_updated_at }}, source_data.{{ columns.dbt_valid_from }}, source_data.{{ columns.dbt_valid_to }}, source_data.{{ columns.dbt_scd_id }}
    {{- ', ' ~ dvt_snapshot_flag('False') ~ ' as ' ~ columns.dbt_is_deleted if marks_deleted }}
from source_data
left join snapshotted_data on {{ joined }}
where {{ unique_key_is_null(strategy.unique_key, 'snapshotted_data') }} or {{ changed }}
union all
select 'update', {{ dvt_snapshot_list(names, 'source_data') }}, {{ dvt_snapshot_list(keys, 'source_data', plain=True) }},
    source_data.{{ columns.dbt_updated_at }}, source_data.{{ columns.dbt_valid_from }}, source_data.{{ columns.dbt_updated_at }}, snapshotted_data.{{ columns.dbt_scd_id }}
    {{- ', snapshotted_data.' ~ columns.dbt_is_deleted if marks_deleted }}
from source_data
join snapshotted_data on {{ joined }}
where {{ changed }}
  {%- if strategy.hard_deletes in ['invalidate', 'new_record'] %}
union all
select 'delete', {{ dvt_snapshot_list(names, 'source_data') }}, {{ dvt_snapshot_list(keys, 'source_data', plain=True) }},
    {{ now }}, {{ now }}, {{ now }}, snapshotted_data.{{ columns.dbt_scd_id }}
    {{- ', snapshotted_data.' ~ columns.dbt_is_deleted if marks_deleted }}
from snapshotted_data
left join source_data on {{ joined }}
where {{ unique_key_is_null(strategy.unique_key, 'source_data') }}{{ ' and not (' ~ is_deleted ~ ')' if marks_deleted }}
  {%- endif -%}
  {%- if marks_deleted %}
union all
select 'insert', {% for name in names -%}
    {{ 'snapshotted_data' if name | lower in kept else 'source_data' }}.{{ adapter.quote(name) }}, {% endfor -%}
    {{ dvt_snapshot_list(keys, 'snapshotted_data', plain=True) }},
    {{ now }}, {{ now }}, snapshotted_data.{{ columns.dbt_valid_to }}, {{ snapshot_hash_arguments(['snapshotted_data.' ~ columns.dbt_scd_id, now]) }}, {{ dvt_snapshot_flag('True') }}
from snapshotted_data
left join source_data on {{ joined }}
where {{ unique_key_is_null(strategy.unique_key, 'source_data') }} and not ({{ is_deleted }})
  {%- endif -%}
{%- endmacro %}
{% macro dvt_snapshot_list(names, relation, plain=False) -%}
  {%- for name in names -%}{{ relation }}.{{ name if plain else adapter.quote(name) }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}

{# A table of its own beside the snapshot: not every catalog shows temporary ones. #}
{% macro build_snapshot_staging_table(strategy, sql, target_relation) -%}
  {%- set staging = make_intermediate_relation(target_relation) -%}
  {{ drop_relation_if_exists(load_relation(staging)) }}
  {%- call statement('build_snapshot_staging_relation') -%}{{ create_table_as(False, staging, snapshot_staging_table(strategy, sql, target_relation)) }}{%- endcall -%}
  {{ return(staging) }}
{%- endmacro %}

{% macro snapshot_merge_sql(target, source, insert_cols) -%}{{ adapter.dispatch('snapshot_merge_sql', 'dbt')(target, source, insert_cols) }}{%- endmacro %}
{% macro default__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = dvt_snapshot_columns() -%}
merge into {{ target }} as DBT_INTERNAL_DEST
using {{ source }} as DBT_INTERNAL_SOURCE
on DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_DEST.{{ columns.dbt_scd_id }}
when matched and {{ dvt_snapshot_is_current('DBT_INTERNAL_DEST.' ~ columns.dbt_valid_to) }} and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
    then update set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
when not matched and DBT_INTERNAL_SOURCE.dbt_change_type = 'insert'
    then insert ({{ insert_cols | join(', ') }}) values ({{ insert_cols | join(', ') }})
{%- endmacro %}

{# For products whose UPDATE reads a second table with FROM. #}
{% macro dvt_snapshot_update_insert_sql(target, source, insert_cols) -%}
  {%- set columns = dvt_snapshot_columns() -%}
update {{ target }} as DBT_INTERNAL_TARGET set {{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
from {{ source }} as DBT_INTERNAL_SOURCE
where DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_TARGET.{{ columns.dbt_scd_id }}
  and DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
  and {{ dvt_snapshot_is_current('DBT_INTERNAL_TARGET.' ~ columns.dbt_valid_to) }};
insert into {{ target }} ({{ insert_cols | join(', ') }})
select {{ insert_cols | join(', ') }} from {{ source }} where dbt_change_type = 'insert'
{%- endmacro %}
