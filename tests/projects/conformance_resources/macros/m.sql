{% macro cents(col, scale=2) %}round({{ col }} / 100, {{ scale }}){% endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
  {{ return(dbt.default__generate_alias_name(custom_alias_name, node)) }}
{%- endmacro %}
