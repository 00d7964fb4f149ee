{# A built-in macro, a package's macro and a built-in function, each overridden. #}
{% macro default__string_literal(value) %}'<{{ value }}>'{% endmacro %}
{% macro default__kind() %}overridden{% endmacro %}
{% macro ref() %}
  {%- set relation = builtins.ref(*varargs) -%}
  {{ return(relation) }}
{% endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
  {{ (custom_alias_name | trim) if custom_alias_name else (node.name ~ ('_x' if node.name == 'aliased' else '')) }}
{%- endmacro %}
