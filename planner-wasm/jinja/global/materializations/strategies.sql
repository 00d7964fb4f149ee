{# What each incremental strategy runs. #}
{% macro get_quoted_csv(column_names) -%}
  {%- set quoted = [] -%}
  {%- for name in column_names -%}{%- do quoted.append(adapter.quote(name)) -%}{%- endfor -%}
  {{ return(quoted | join(', ')) }}
{%- endmacro %}

{% macro get_incremental_default_sql(arg_dict) -%}{{ return(adapter.dispatch('get_incremental_default_sql', 'dbt')(arg_dict)) }}{%- endmacro %}
{% macro default__get_incremental_default_sql(arg_dict) -%}
  {%- if arg_dict['unique_key'] -%}{{ return(get_incremental_delete_insert_sql(arg_dict)) }}{%- endif -%}
  {{ return(get_incremental_append_sql(arg_dict)) }}
{%- endmacro %}

{% macro get_incremental_append_sql(arg_dict) -%}{{ return(adapter.dispatch('get_incremental_append_sql', 'dbt')(arg_dict)) }}{%- endmacro %}
{% macro default__get_incremental_append_sql(arg_dict) -%}
  {{ return(get_insert_into_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['dest_columns'])) }}
{%- endmacro %}
{% macro get_insert_into_sql(target_relation, temp_relation, dest_columns) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
insert into {{ target_relation }} ({{ columns }})
select {{ columns }} from {{ temp_relation }}
{%- endmacro %}

{% macro get_incremental_delete_insert_sql(arg_dict) -%}{{ return(adapter.dispatch('get_incremental_delete_insert_sql', 'dbt')(arg_dict)) }}{%- endmacro %}
{% macro default__get_incremental_delete_insert_sql(arg_dict) -%}
  {{ return(get_delete_insert_merge_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], arg_dict['dest_columns'], arg_dict['incremental_predicates'])) }}
{%- endmacro %}
{% macro get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates) -%}
  {{ adapter.dispatch('get_delete_insert_merge_sql', 'dbt')(target, source, unique_key, dest_columns, incremental_predicates) }}
{%- endmacro %}
{% macro default__get_delete_insert_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- if unique_key -%}
delete from {{ target }}
where exists (
    select 1 from {{ source }} as dvt_new
    where {% for key in ([unique_key] if unique_key is string else unique_key) -%}
      dvt_new.{{ key }} = {{ target }}.{{ key }}{{ ' and ' if not loop.last }}
    {%- endfor %}
)
    {%- for predicate in incremental_predicates or [] %} and {{ predicate }}{% endfor %};
  {% endif -%}
{{ get_insert_into_sql(target, source, dest_columns) }}
{%- endmacro %}

{# How a moment is written that is compared with an event_time column. #}
{% macro dvt_event_time_literal(moment) -%}{{ return(adapter.dispatch('dvt_event_time_literal', 'dbt')(moment)) }}{%- endmacro %}
{% macro default__dvt_event_time_literal(moment) -%}{{ return("'" ~ moment ~ "'") }}{%- endmacro %}

{% macro get_incremental_microbatch_sql(arg_dict) -%}{{ return(adapter.dispatch('get_incremental_microbatch_sql', 'dbt')(arg_dict)) }}{%- endmacro %}
{# The batch's span of time is emptied and filled again. #}
{% macro default__get_incremental_microbatch_sql(arg_dict) -%}
  {%- set batch = model.get('batch') -%}
  {%- set event_time = config.get('event_time') -%}
  {%- if not event_time or not batch -%}
    {{ __dvt_fail('DVT1011', 'the microbatch model `' ~ model.name ~ '` has no `event_time`', 'set event_time to the column that tells when a row happened') }}
  {%- endif -%}
  {%- set tests = [event_time ~ ' >= ' ~ dvt_event_time_literal(batch['event_time_start']), event_time ~ ' < ' ~ dvt_event_time_literal(batch['event_time_end'])] -%}
  {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
delete from {{ arg_dict['target_relation'] }}
where {{ (tests + (arg_dict['incremental_predicates'] or [])) | join(' and ') }};
insert into {{ arg_dict['target_relation'] }} ({{ columns }})
select {{ columns }} from {{ arg_dict['temp_relation'] }}
where {{ tests | join(' and ') }}
{%- endmacro %}

{% macro get_incremental_merge_sql(arg_dict) -%}{{ return(adapter.dispatch('get_incremental_merge_sql', 'dbt')(arg_dict)) }}{%- endmacro %}
{% macro default__get_incremental_merge_sql(arg_dict) -%}
  {{ return(get_merge_sql(arg_dict['target_relation'], arg_dict['temp_relation'], arg_dict['unique_key'], arg_dict['dest_columns'], arg_dict['incremental_predicates'])) }}
{%- endmacro %}
{% macro get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {{ adapter.dispatch('get_merge_sql', 'dbt')(target, source, unique_key, dest_columns, incremental_predicates) }}
{%- endmacro %}
{% macro get_merge_update_columns(merge_update_columns, merge_exclude_columns, dest_columns) -%}
  {%- if merge_update_columns and merge_exclude_columns -%}
    {{ __dvt_fail('DVT1011', 'merge_update_columns and merge_exclude_columns are both set', 'set one of them') }}
  {%- endif -%}
  {%- if merge_update_columns -%}{{ return(merge_update_columns) }}{%- endif -%}
  {%- set out = [] -%}
  {%- set excluded = (merge_exclude_columns or []) | map('lower') | list -%}
  {%- for column in dest_columns -%}
    {%- if column.name | lower not in excluded -%}{%- do out.append(column.quoted) -%}{%- endif -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
{% macro default__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set conditions = [] + (incremental_predicates or []) -%}
  {%- if unique_key -%}
    {%- for key in ([unique_key] if unique_key is string else unique_key) -%}
      {%- do conditions.append('DBT_INTERNAL_SOURCE.' ~ key ~ ' = DBT_INTERNAL_DEST.' ~ key) -%}
    {%- endfor -%}
  {%- else -%}
    {%- do conditions.append('1 = 0') -%}
  {%- endif -%}
  {%- set updated = get_merge_update_columns(config.get('merge_update_columns'), config.get('merge_exclude_columns'), dest_columns) -%}
merge into {{ target }} as DBT_INTERNAL_DEST
using {{ source }} as DBT_INTERNAL_SOURCE
on ({{ conditions | join(') and (') }})
  {%- if unique_key %}
when matched then update set
    {% for column in updated -%}{{ column }} = DBT_INTERNAL_SOURCE.{{ column }}{{ ', ' if not loop.last }}{%- endfor %}
  {%- endif %}
when not matched then insert ({{ columns }})
values ({% for column in dest_columns -%}DBT_INTERNAL_SOURCE.{{ column.quoted }}{{ ', ' if not loop.last }}{%- endfor %})
{%- endmacro %}

{# For products that have no MERGE, or one that does not refuse to update one row by two. #}
{% macro dvt_refuse_repeated_keys(target, source, keys) -%}
  {%- set twice = run_query('select 1 from ' ~ source ~ ' where ' ~ (keys | join(' is not null and ')) ~ ' is not null group by ' ~ (keys | join(', ')) ~ ' having count(*) > 1 limit 1') -%}
  {%- if twice and twice.rows -%}
    {{ __dvt_fail('DVT6002', 'the model gives several rows of the same unique_key (' ~ (keys | join(', ')) ~ ') to merge into ' ~ target, 'make the key unique in the model, or use delete+insert') }}
  {%- endif -%}
{%- endmacro %}
