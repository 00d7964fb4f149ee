{# What differs between two lists of columns. #}
{% macro diff_columns(source_columns, target_columns) -%}
  {%- set there = target_columns | map(attribute='name') | list -%}
  {%- set out = [] -%}
  {%- for column in source_columns if column.name not in there -%}{%- do out.append(column) -%}{%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
