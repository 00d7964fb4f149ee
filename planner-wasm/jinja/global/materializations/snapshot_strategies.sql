{# What a snapshot strategy decides: the key, the time of a version, what counts as a change. #}
{% macro strategy_dispatch(name) -%}
  {%- set package = none -%}{%- set short = name -%}
  {%- if '.' in name -%}{%- set package, short = name.split('.', 1) -%}{%- endif -%}
  {{ return(adapter.find_macro('snapshot_' ~ short ~ '_strategy', package)) }}
{%- endmacro %}

{% macro snapshot_hash_arguments(args) -%}{{ adapter.dispatch('snapshot_hash_arguments', 'dbt')(args) }}{%- endmacro %}
{% macro default__snapshot_hash_arguments(args) -%}
md5({% for arg in args -%}coalesce(cast({{ arg }} as varchar), ''){{ " || '|' || " if not loop.last }}{%- endfor %})
{%- endmacro %}

{% macro snapshot_get_time() -%}{{ adapter.dispatch('snapshot_get_time', 'dbt')() }}{%- endmacro %}
{% macro default__snapshot_get_time() -%}{{ current_timestamp() }}{%- endmacro %}
{% macro snapshot_string_as_time(timestamp) -%}{{ adapter.dispatch('snapshot_string_as_time', 'dbt')(timestamp) }}{%- endmacro %}
{% macro default__snapshot_string_as_time(timestamp) -%}{{ return("cast('" ~ timestamp ~ "' as " ~ type_timestamp() ~ ")") }}{%- endmacro %}

{# ignore, invalidate or new_record; invalidate_hard_deletes is the older name of the second. #}
{% macro adapter_get_hard_deletes_behavior(configuration=none) -%}
  {%- set behaviour = config.get('hard_deletes') -%}
  {%- set older = config.get('invalidate_hard_deletes') -%}
  {%- if older is not none and behaviour is not none -%}
    {{ __dvt_fail('DVT1011', 'snapshot `' ~ model.name ~ '` sets both hard_deletes and invalidate_hard_deletes', 'keep hard_deletes') }}
  {%- endif -%}
  {%- if behaviour not in [none, 'ignore', 'invalidate', 'new_record'] -%}
    {{ __dvt_fail('DVT1011', "hard_deletes is '" ~ behaviour ~ "'", 'use ignore, invalidate or new_record') }}
  {%- endif -%}
  {{ return(behaviour or ('invalidate' if older else 'ignore')) }}
{%- endmacro %}

{# A snapshot of another layout cannot be continued: say which columns lack. #}
{% macro adapter_assert_valid_snapshot_target_given_strategy(relation, column_names, strategy) -%}
  {%- set there = adapter.get_columns_in_relation(relation) | map(attribute='name') | map('lower') | list -%}
  {%- set missing = [] -%}
  {%- for key, name in column_names.items() if name | lower not in there and (key != 'dbt_is_deleted' or strategy.hard_deletes == 'new_record') -%}
    {%- do missing.append(name) -%}
  {%- endfor -%}
  {%- if missing -%}
    {{ __dvt_fail('DVT1011', 'the snapshot table ' ~ relation ~ ' has no column ' ~ (missing | join(', ')), 'add the column by hand, or set snapshot_meta_column_names and hard_deletes to what the table was made with') }}
  {%- endif -%}
{%- endmacro %}

{% macro dvt_snapshot_scd_args(unique_key, updated_at) -%}
  {{ return(([unique_key] if unique_key is string else unique_key | list) + [updated_at]) }}
{%- endmacro %}
{% macro dvt_snapshot_strategy(updated_at, row_changed) -%}
  {%- set unique_key = config.get('unique_key') -%}
  {%- set hard_deletes = adapter.get_hard_deletes_behavior(config) -%}
  {{ return({
    'unique_key': unique_key, 'updated_at': updated_at, 'row_changed': row_changed,
    'scd_id': snapshot_hash_arguments(dvt_snapshot_scd_args(unique_key, updated_at)),
    'invalidate_hard_deletes': hard_deletes == 'invalidate', 'hard_deletes': hard_deletes
  }) }}
{%- endmacro %}

{# The table's own time is compared: updated_at may not be in it when the strategy was another one before. #}
{% macro snapshot_timestamp_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
  {%- set updated_at = config.get('updated_at') -%}
  {%- if not updated_at -%}
    {{ __dvt_fail('DVT1011', 'snapshot `' ~ model.name ~ '` has no `updated_at`', 'the timestamp strategy needs the column that tells when a row changed') }}
  {%- endif -%}
  {%- set changed = '(' ~ snapshotted_rel ~ '.' ~ dvt_snapshot_columns().dbt_valid_from ~ ' < ' ~ current_rel ~ '.' ~ updated_at ~ ')' -%}
  {{ return(dvt_snapshot_strategy(updated_at, changed)) }}
{%- endmacro %}

{# The columns to compare that the table has, and whether the query gives one that it has not. #}
{% macro snapshot_check_all_get_existing_columns(node, target_exists, check_cols_config) -%}
  {%- if check_cols_config != 'all' and (check_cols_config is string or not check_cols_config) -%}
    {{ __dvt_fail('DVT1011', 'check_cols of snapshot `' ~ model.name ~ '` is no list of columns', "give a list, or 'all'") }}
  {%- endif -%}
  {%- if not target_exists -%}{{ return((false, [])) }}{%- endif -%}
  {%- set text = node['compiled_code'] -%}
  {%- if check_cols_config != 'all' -%}{%- set text = 'select ' ~ (check_cols_config | join(', ')) ~ ' from (\n' ~ text ~ '\n) subq' -%}{%- endif -%}
  {%- set there = adapter.get_columns_in_relation(this) | map(attribute='name') | map('lower') | list -%}
  {%- set both = [] -%}{%- set added = [] -%}
  {%- for name in get_columns_in_query(text) -%}
    {%- if name | lower in there -%}{%- do both.append(adapter.quote(name)) -%}{%- else -%}{%- do added.append(name) -%}{%- endif -%}
  {%- endfor -%}
  {{ return((added | length > 0, both)) }}
{%- endmacro %}

{% macro snapshot_check_strategy(node, snapshotted_rel, current_rel, model_config, target_exists) -%}
  {%- set column_added, compared = snapshot_check_all_get_existing_columns(node, target_exists, config.get('check_cols')) -%}
  {%- set tests = [] -%}
  {%- for name in compared -%}
    {%- set old = snapshotted_rel ~ '.' ~ name -%}{%- set new = current_rel ~ '.' ~ name -%}
    {%- do tests.append(old ~ ' <> ' ~ new ~ ' or (' ~ old ~ ' is null and ' ~ new ~ ' is not null) or (' ~ old ~ ' is not null and ' ~ new ~ ' is null)') -%}
  {%- endfor -%}
  {%- set changed = get_true_sql() if column_added or not tests else '(' ~ (tests | join('\n or ')) ~ ')' -%}
  {{ return(dvt_snapshot_strategy(config.get('updated_at') or snapshot_get_time(), changed)) }}
{%- endmacro %}
