{# The build stops where something is not what it should be. #}
{% macro check(what, got, want) %}
  {%- if got != want -%}
    {{ exceptions.raise_compiler_error(what ~ ': got ' ~ got ~ ', want ' ~ want) }}
  {%- endif -%}
{% endmacro %}

{# Text without layout, to compare SQL. #}
{% macro flat(text) %}{{ return((text | string).split() | join(' ')) }}{% endmacro %}
