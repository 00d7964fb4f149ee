{# Rows of unit tests as SQL. #}
{# One select for each row; columns that a row leaves out are null. `columns` are name, type and quoted name. #}
{% macro dvt_fixture_sql(rows, columns, what, all_columns=True) -%}
  {%- set known = {} -%}
  {%- for column in columns -%}{%- do known.update({column['name'] | lower: column}) -%}{%- endfor -%}
  {%- set shown = [] -%}
  {%- if all_columns -%}
    {%- for column in columns -%}{%- do shown.append(column['name'] | lower) -%}{%- endfor -%}
  {%- elif rows -%}
    {%- for name in rows[0] -%}{%- do shown.append(name | lower) -%}{%- endfor -%}
    {#- A column that one row leaves out is compared for none or for all: it would pass unseen. -#}
    {%- for row in rows if (row | map('lower') | sort | list) != (shown | sort | list) -%}
      {{ __dvt_fail('DVT1006', 'the rows for ' ~ what ~ ' name different columns: ' ~ (shown | join(', ')) ~ ' and ' ~ (row | join(', ')), 'name the same columns in every row; null is a value') }}
    {%- endfor -%}
  {%- endif -%}
  {%- set selects = [] -%}
  {%- for row in (rows or [{}]) -%}
    {%- set values = {} -%}
    {%- for name, value in row.items() -%}
      {%- if name | lower not in known -%}
        {{ __dvt_fail('DVT1006', "the column '" ~ name ~ "' of the rows for " ~ what ~ ' does not exist there', 'its columns are: ' ~ (known.keys() | join(', '))) }}
      {%- endif -%}
      {%- do values.update({name | lower: value}) -%}
    {%- endfor -%}
    {%- set cells = [] -%}
    {%- for name in shown -%}
      {%- do cells.append(dvt_fixture_value(values.get(name), known[name]['data_type']) ~ ' as ' ~ known[name]['quoted']) -%}
    {%- endfor -%}
    {%- do selects.append('select ' ~ (cells | join(', '))) -%}
  {%- endfor -%}
  {{ return((selects | join('\nunion all\n')) if rows else 'select * from (' ~ selects[0] ~ ') dvt_no_rows where 1 = 0') }}
{%- endmacro %}

{% macro dvt_fixture_value(value, data_type) -%}
  {%- if value is none -%}{%- set text = 'null' -%}
  {%- elif value is string -%}{%- set text = string_literal(escape_single_quotes(value)) -%}
  {%- elif value is boolean -%}{%- set text = 'true' if value else 'false' -%}
  {%- else -%}{%- set text = value | string -%}
  {%- endif -%}
  {{ return(adapter.dispatch('dvt_fixture_cast', 'dbt')(text, data_type)) }}
{%- endmacro %}
{% macro default__dvt_fixture_cast(text, data_type) -%}
  {#- A length of the column would cut a longer value. -#}
  {%- set type = data_type.split('(')[0] if text.startswith("'") and 'char' in (data_type | lower) else data_type -%}
  {{ return((safe_cast(text, type) | trim) if type else text) }}
{%- endmacro %}
