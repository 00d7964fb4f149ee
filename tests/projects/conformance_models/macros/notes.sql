{% macro note(what) %}insert into seen select {{ what | length }}{% endmacro %}

{%- macro columns_of(list, prefix='') -%}
  {%- for c in list %}{{ prefix }}{{ c }}{% if not loop.last %}, {% endif %}{% endfor -%}
{%- endmacro %}

{% macro total(column) %}{{ return(adapter.dispatch('total')(column)) }}{% endmacro %}
{% macro default__total(column) %}sum({{ column }}){% endmacro %}

{% macro wrapped() %}coalesce({{ caller() }}, 0){% endmacro %}

{% test below(model, column_name, most, strict=false) %}
select {{ column_name }} from {{ model }} where {{ column_name }} {{ '>=' if strict else '>' }} {{ most }}
{% endtest %}

{% macro generate_schema_name(custom_schema_name, node) -%}
  {{ target.schema if custom_schema_name is none else custom_schema_name | trim }}
{%- endmacro %}
