{# Columns of queries, and what a contract says of them. #}
{% macro get_empty_subquery_sql(select_sql, select_sql_header=none) -%}{{ return(adapter.dispatch('get_empty_subquery_sql', 'dbt')(select_sql, select_sql_header)) }}{%- endmacro %}
{% macro default__get_empty_subquery_sql(select_sql, select_sql_header=none) -%}
{{ select_sql_header or '' }}
select * from (
{{ select_sql }}
) as __dbt_sbq
where 1 = 0
{%- endmacro %}

{% macro get_columns_in_query(select_sql) -%}{{ return(adapter.dispatch('get_columns_in_query', 'dbt')(select_sql)) }}{%- endmacro %}
{% macro default__get_columns_in_query(select_sql) -%}
  {{ return(adapter.get_column_schema_from_query(get_empty_subquery_sql(select_sql)) | map(attribute='name') | list) }}
{%- endmacro %}
{% macro get_column_schema_from_query(select_sql, select_sql_header=none) -%}
  {{ return(adapter.get_column_schema_from_query(get_empty_subquery_sql(select_sql, select_sql_header))) }}
{%- endmacro %}
{% macro get_list_of_column_names(columns) -%}{{ return(columns | map(attribute='name') | list) }}{%- endmacro %}

{# A query whose columns have the names and types of the contract. #}
{% macro get_empty_schema_sql(columns) -%}{{ return(adapter.dispatch('get_empty_schema_sql', 'dbt')(columns)) }}{%- endmacro %}
{% macro default__get_empty_schema_sql(columns) -%}
  {%- set untyped = [] -%}
  {%- for name, column in columns.items() if not column['data_type'] -%}{%- do untyped.append(name) -%}{%- endfor -%}
  {%- if untyped -%}
    {{ __dvt_fail('DVT1011', 'the contract of `' ~ model.name ~ '` gives no data_type for ' ~ (untyped | join(', ')), 'every column of an enforced contract needs a data_type') }}
  {%- endif -%}
select {% for name, column in columns.items() -%}
    cast(null as {{ column['data_type'] }}) as {{ adapter.quote(column['name']) if column['quote'] else column['name'] }}{{ ', ' if not loop.last }}
{%- endfor %}
{%- endmacro %}

{% macro get_assert_columns_equivalent(sql) -%}{{ adapter.dispatch('get_assert_columns_equivalent', 'dbt')(sql) }}{%- endmacro %}
{% macro default__get_assert_columns_equivalent(sql) -%}{{ return(assert_columns_equivalent(sql)) }}{%- endmacro %}
{# Names and types of the query against those of the contract; order does not count. #}
{% macro assert_columns_equivalent(sql) -%}
  {%- if not model['columns'] -%}{%- do exceptions.raise_contract_error([], []) -%}{%- endif -%}
  {%- set given = format_columns(get_column_schema_from_query(sql, config.get('sql_header'))) -%}
  {%- set asked = format_columns(dvt_contract_columns(model['columns'])) -%}
  {%- set wanted = {} -%}
  {%- for column in asked -%}{%- do wanted.update({column['name'] | lower: column['data_type']}) -%}{%- endfor -%}
  {%- set wrong = [] -%}
  {%- for column in given -%}
    {%- set type = wanted.get(column['name'] | lower) -%}
    {%- if type is none or (type | lower != column['data_type'] | lower and type and column['data_type']) -%}{%- do wrong.append(column) -%}{%- endif -%}
  {%- endfor -%}
  {%- if wrong or given | length != asked | length -%}{%- do exceptions.raise_contract_error(asked, given) -%}{%- endif -%}
{%- endmacro %}
{% macro dvt_contract_columns(columns) -%}{{ return(adapter.dispatch('dvt_contract_columns', 'dbt')(columns)) }}{%- endmacro %}
{% macro default__dvt_contract_columns(columns) -%}{{ return(get_column_schema_from_query(get_empty_schema_sql(columns))) }}{%- endmacro %}
{% macro format_columns(columns) -%}
  {%- set out = [] -%}
  {%- for column in columns -%}{%- do out.append(adapter.dispatch('format_column', 'dbt')(column)) -%}{%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
{% macro default__format_column(column) -%}
  {{ return({'name': column.name, 'data_type': column.dtype, 'formatted': (column.name | lower) ~ ' ' ~ column.dtype}) }}
{%- endmacro %}

{# The column list of a table with an enforced contract. #}
{% macro get_table_columns_and_constraints() -%}{{ adapter.dispatch('get_table_columns_and_constraints', 'dbt')() }}{%- endmacro %}
{% macro default__get_table_columns_and_constraints() -%}{{ return(table_columns_and_constraints()) }}{%- endmacro %}
{% macro table_columns_and_constraints() -%}
  {%- set lines = adapter.render_raw_columns_constraints(raw_columns=model['columns']) + adapter.render_raw_model_constraints(raw_constraints=model['constraints'] or []) -%}
(
    {{ lines | join(',\n    ') }}
)
{%- endmacro %}
{% macro adapter_render_raw_columns_constraints(raw_columns) -%}
  {%- set out = [] -%}
  {%- for name, column in raw_columns.items() -%}
    {%- set parts = [adapter.quote(column['name']) if column['quote'] else column['name'], column['data_type']] -%}
    {%- for constraint in column['constraints'] or [] -%}
      {%- set text = dvt_column_constraint(constraint) if dvt_constraint_usable(constraint) else none -%}
      {%- if text -%}{%- do parts.append(text | trim) -%}{%- endif -%}
    {%- endfor -%}
    {%- do out.append(parts | join(' ')) -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
{% macro adapter_render_raw_model_constraints(raw_constraints) -%}
  {%- set out = [] -%}
  {%- for constraint in raw_constraints -%}
    {%- set text = dvt_model_constraint(constraint) if dvt_constraint_usable(constraint) else none -%}
    {%- if text -%}{%- do out.append(text) -%}{%- endif -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}

{# `enforced`, `not_enforced` or `not_supported`, by kind of constraint. #}
{% macro dvt_constraint_support(type) -%}{{ return(adapter.dispatch('dvt_constraint_support', 'dbt')(type)) }}{%- endmacro %}
{% macro default__dvt_constraint_support(type) -%}
  {{ return({'check': 'not_supported', 'unique': 'not_enforced', 'primary_key': 'not_enforced'}.get(type, 'enforced')) }}
{%- endmacro %}
{% macro dvt_constraint_usable(constraint) -%}
  {%- set type = constraint['type'] -%}
  {%- if type == 'custom' -%}{{ return(True) }}{%- endif -%}
  {%- set support = dvt_constraint_support(type) -%}
  {%- if support == 'not_supported' and constraint.get('warn_unsupported', True) -%}
    {%- do exceptions.warn('The constraint type ' ~ type ~ ' is not supported by the ' ~ adapter.type() ~ ' adapter, and will be ignored.') -%}
  {%- elif support == 'not_enforced' and constraint.get('warn_unenforced', True) -%}
    {%- do exceptions.warn('The constraint type ' ~ type ~ ' is not enforced by the ' ~ adapter.type() ~ ' adapter: the statement says it, and the database does not check it.') -%}
  {%- endif -%}
  {{ return(support != 'not_supported') }}
{%- endmacro %}
{# The relation of `ref(…)` or `source(…)` as a foreign key names it. #}
{% macro default__dvt_key_relation(call) -%}{{ return(render('{{ ' ~ call ~ ' }}')) }}{%- endmacro %}
{% macro dvt_constraint_to(constraint) -%}
  {%- set to = constraint['to'] -%}
  {%- if to and ('ref(' in to or 'source(' in to) -%}{%- set to = adapter.dispatch('dvt_key_relation', 'dbt')(to) -%}{%- endif -%}
  {%- if to and constraint.get('to_columns') -%}{{ return(to ~ ' (' ~ (constraint['to_columns'] | join(', ')) ~ ')') }}{%- endif -%}
  {{ return(constraint.get('expression')) }}
{%- endmacro %}
{% macro dvt_column_constraint(constraint) -%}
  {%- set type = constraint['type'] -%}{%- set expression = constraint.get('expression') or '' -%}
  {%- if type == 'check' -%}{{ return('check (' ~ expression ~ ')' if expression else none) }}
  {%- elif type in ['not_null', 'unique', 'primary_key'] -%}{{ return((type | replace('_', ' ')) ~ ' ' ~ expression) }}
  {%- elif type == 'foreign_key' -%}
    {%- set to = dvt_constraint_to(constraint) -%}{{ return('references ' ~ to if to else none) }}
  {%- elif type == 'custom' -%}{{ return(expression or none) }}
  {%- endif -%}
  {{ __dvt_fail('DVT1011', "no constraint has the type '" ~ type ~ "'", 'use check, not_null, unique, primary_key, foreign_key or custom') }}
{%- endmacro %}
{% macro dvt_model_constraint(constraint) -%}
  {%- set type = constraint['type'] -%}{%- set expression = constraint.get('expression') or '' -%}
  {%- set head = 'constraint ' ~ constraint['name'] ~ ' ' if constraint.get('name') else '' -%}
  {%- set list = ' (' ~ ((constraint.get('columns') or []) | join(', ')) ~ ')' -%}
  {%- if type == 'check' -%}{{ return(head ~ 'check (' ~ expression ~ ')' if expression else none) }}
  {%- elif type in ['unique', 'primary_key'] -%}{{ return(head ~ (type | replace('_', ' ')) ~ (' ' ~ expression if expression else '') ~ list) }}
  {%- elif type == 'foreign_key' -%}
    {%- set to = dvt_constraint_to(constraint) -%}{{ return(head ~ 'foreign key' ~ list ~ ' references ' ~ to if to else none) }}
  {%- elif type == 'custom' -%}{{ return(head ~ expression if expression else none) }}
  {%- elif type == 'not_null' -%}{{ return(none) }}
  {%- endif -%}
  {{ __dvt_fail('DVT1011', "no constraint has the type '" ~ type ~ "'", 'use check, not_null, unique, primary_key, foreign_key or custom') }}
{%- endmacro %}

{% macro get_column_names() -%}{{ return(adapter.dispatch('get_column_names', 'dbt')()) }}{%- endmacro %}
{% macro default__get_column_names() -%}
  {%- for name, column in model['columns'].items() -%}{{ adapter.quote(column['name']) if column['quote'] else column['name'] }}{{ ', ' if not loop.last }}{%- endfor -%}
{%- endmacro %}
{# The query's columns in the contract's order. #}
{% macro get_select_subquery(sql) -%}{{ return(adapter.dispatch('get_select_subquery', 'dbt')(sql)) }}{%- endmacro %}
{% macro default__get_select_subquery(sql) -%}
select {{ get_column_names() }} from (
{{ sql }}
) as model_subq
{%- endmacro %}
{% macro dvt_contract_enforced() -%}{{ return((config.get('contract') or {}).get('enforced', False)) }}{%- endmacro %}

{# A table made from its contract, then filled. #}
{% macro dvt_create_from_contract(head, relation, sql) -%}
{{ get_assert_columns_equivalent(sql) }}
{{ head }}
{{ get_table_columns_and_constraints() }};
insert into {{ relation }} ({{ get_column_names() }})
{{ get_select_subquery(sql) }}
{%- endmacro %}
