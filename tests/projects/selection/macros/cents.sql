{% macro cents(c) %}{{ times(c) }}{% endmacro %}
