{# An incremental model: a table the first time, then its new rows by the strategy, in one transaction. #}
{% materialization incremental, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set unique_key = config.get('unique_key') -%}
  {%- set on_schema_change = incremental_validate_on_schema_change(config.get('on_schema_change'), default='ignore') -%}
  {%- set strategy = config.get('incremental_strategy') or 'default' -%}
  {%- set strategy_macro = adapter.get_incremental_strategy_macro(none, strategy) -%}
  {{ dvt_clean_up(target_relation) }}
  {{ dvt_open_build() }}
  {#- As it is now: the table of the time of compilation may be gone, and a part must never stand for the whole. -#}
  {%- set existing = load_relation(this) -%}
  {%- if dvt_part and (existing is none or not existing.is_table) -%}
    {{ __dvt_fail('DVT4009', 'the table ' ~ this ~ ', which the model adds to, was dropped or replaced while the model was computed', 'run it again: without the table the model is built whole') }}
  {%- endif -%}
  {%- set new_relation = dvt_build_rows(target_relation, sql) -%}
  {%- if existing is none or not existing.is_table or should_full_refresh() -%}
    {{ dvt_publish(target_relation, new_relation) }}
    {%- do create_indexes(target_relation) -%}
  {%- else -%}
    {%- if dvt_staged_relation is not none and on_schema_change != 'sync_all_columns' -%}{{ dvt_check_types(existing, new_relation) }}
    {%- elif dvt_staged_relation is none and not dvt_contract_enforced() -%}{%- do adapter.expand_target_column_types(from_relation=new_relation, to_relation=target_relation) -%}
    {%- endif -%}
    {%- set columns = process_schema_changes(on_schema_change, new_relation, existing) or adapter.get_columns_in_relation(existing) -%}
    {%- set filled = columns | map(attribute='name') | map('lower') | list -%}
    {%- set given = adapter.get_columns_in_relation(new_relation) | map(attribute='name') | map('lower') | list -%}
    {%- for name in filled if name not in given -%}
      {{ __dvt_fail('DVT107', 'the model no longer gives the column `' ~ name ~ '` of ' ~ existing, 'run with --full-refresh to rebuild the table, or set on_schema_change: append_new_columns or sync_all_columns') }}
    {%- endfor -%}
    {%- set arguments = {'target_relation': target_relation, 'temp_relation': new_relation, 'unique_key': unique_key, 'dest_columns': columns,
                         'incremental_predicates': config.get('predicates') or config.get('incremental_predicates')} -%}
    {%- if dvt_ddl_commits() -%}{%- do adapter.commit() -%}{%- do adapter.begin() -%}{%- endif -%}
    {%- call statement('main', auto_begin=False) -%}{{ strategy_macro(arguments) }}{%- endcall -%}
    {%- if not dvt_ddl_commits() -%}{{ adapter.drop_relation(new_relation) }}{%- endif -%}
  {%- endif -%}
  {{ dvt_commit_build(target_relation, existing) }}
  {%- if dvt_ddl_commits() -%}{{ adapter.drop_relation(new_relation) }}{%- endif -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro incremental_validate_on_schema_change(on_schema_change, default='ignore') -%}
  {%- if on_schema_change is none -%}{{ return(default) }}{%- endif -%}
  {%- if on_schema_change not in ['sync_all_columns', 'append_new_columns', 'fail', 'ignore'] -%}
    {{ __dvt_fail('DVT1011', "on_schema_change is '" ~ on_schema_change ~ "'", 'use ignore, fail, append_new_columns or sync_all_columns') }}
  {%- endif -%}
  {{ return(on_schema_change) }}
{%- endmacro %}

{# A column whose type changed cannot be filled without a full refresh (DVT107). #}
{% macro dvt_check_types(existing, new_relation) -%}
  {%- set now = {} -%}
  {%- for column in adapter.get_columns_in_relation(new_relation) -%}{%- do now.update({column.name: column.data_type}) -%}{%- endfor -%}
  {%- for column in adapter.get_columns_in_relation(existing) -%}
    {%- if column.name in now and now[column.name] != column.data_type -%}
      {{ __dvt_fail('DVT107', 'column `' ~ column.name ~ '` of ' ~ existing ~ ' is ' ~ column.data_type ~ ' and would now be ' ~ now[column.name], 'run with --full-refresh to rebuild the table, or cast the column in the model') }}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}

{# Columns of both whose types differ, with the type they would have. #}
{% macro diff_column_data_types(source_columns, target_columns) -%}
  {%- set now = {} -%}{%- set out = [] -%}
  {%- for column in source_columns -%}{%- do now.update({column.name | lower: column.data_type}) -%}{%- endfor -%}
  {%- for column in target_columns -%}
    {%- set type = now.get(column.name | lower) -%}
    {%- if type is not none and type != column.data_type -%}{%- do out.append({'column_name': column.name, 'new_type': type}) -%}{%- endif -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}

{# The columns to fill after what on_schema_change asks for; none when nothing changes. #}
{% macro process_schema_changes(on_schema_change, source_relation, target_relation) -%}
  {%- if on_schema_change == 'ignore' -%}{{ return(none) }}{%- endif -%}
  {%- set added = adapter.get_missing_columns(source_relation, target_relation) -%}
  {%- set gone = adapter.get_missing_columns(target_relation, source_relation) -%}
  {%- set retyped = diff_column_data_types(adapter.get_columns_in_relation(source_relation), adapter.get_columns_in_relation(target_relation)) -%}
  {%- if not added and not gone and not retyped -%}{{ return(none) }}{%- endif -%}
  {%- if on_schema_change == 'fail' -%}
    {{ __dvt_fail('DVT107', 'the columns of ' ~ target_relation ~ ' changed; new: ' ~ (added | map(attribute='name') | join(', ') or 'none') ~ '; gone: ' ~ (gone | map(attribute='name') | join(', ') or 'none') ~ '; of another type: ' ~ (retyped | map(attribute='column_name') | join(', ') or 'none'), 'run with --full-refresh, or set on_schema_change') }}
  {%- endif -%}
  {%- do alter_relation_add_remove_columns(target_relation, added, gone if on_schema_change == 'sync_all_columns' else []) -%}
  {%- if on_schema_change == 'sync_all_columns' -%}
    {%- for change in retyped -%}{%- do alter_column_type(target_relation, change['column_name'], change['new_type']) -%}{%- endfor -%}
  {%- endif -%}
  {{ return(adapter.get_columns_in_relation(source_relation)) }}
{%- endmacro %}
