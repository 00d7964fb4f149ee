{% macro kind() %}{{ return(adapter.dispatch('kind', 'extra')()) }}{% endmacro %}
{% macro default__kind() %}shipped{% endmacro %}

{% macro untouched() %}{{ return(adapter.dispatch('untouched', 'extra')()) }}{% endmacro %}
{% macro default__untouched() %}shipped{% endmacro %}

{# What star-like macros of packages do: columns, then text. #}
{% macro star(from, except=[]) %}
  {%- if not execute -%}{{ return('*') }}{%- endif -%}
  {%- if from is not mapping or not from.get('metadata', {}).get('type', '').endswith('Relation') -%}
    {{ exceptions.raise_compiler_error('star() takes a relation, not ' ~ from) }}
  {%- endif -%}
  {%- set out = [] -%}
  {%- for column in adapter.get_columns_in_relation(from) if column.name | lower not in except -%}
    {%- do out.append(column.quoted) -%}
  {%- endfor -%}
  {{ return(out | join(', ')) }}
{% endmacro %}

{% macro values_of(relation, column) %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- call statement('values_of', fetch_result=true) -%}
    select {{ column }} as value from {{ relation }} group by {{ column }} order by {{ column }}
  {%- endcall -%}
  {{ return(load_result('values_of')['data'] | map(attribute=0) | list) }}
{% endmacro %}
