{% macro twice(x) %}({{ x }}) * 2{% endmacro %}
{% macro thrice(x) -%}
  {{ return(adapter.dispatch('thrice', 'tools')(x)) }}
{%- endmacro %}
{% macro default__thrice(x) %}({{ x }}) * 3{% endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) %}{{ 'tools_' ~ (custom_alias_name or node.name) }}{% endmacro %}
