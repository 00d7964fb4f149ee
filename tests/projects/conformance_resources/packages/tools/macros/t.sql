{% macro twice(x) %}({{ x }}) * 2{% endmacro %}
{% macro thrice(x) -%}
  {{ return(adapter.dispatch('thrice', 'tools')(x)) }}
{%- endmacro %}
{% macro default__thrice(x) %}({{ x }}) * 3{% endmacro %}
