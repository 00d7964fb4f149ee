{% macro times(c) %}{{ c }} * 100{% endmacro %}
