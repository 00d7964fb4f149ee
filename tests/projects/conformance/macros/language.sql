{% macro wrapped(open='<', close=open) %}{{ open }}{{ caller('in', 2) }}{{ close }}{% endmacro %}
{% macro counted() %}{{ return((varargs | length, kwargs | length)) }}{% endmacro %}
{% macro fails_softly() %}{{ return(none) }}{% endmacro %}
{% macro outer() %}{{ return(inner()) }}{% endmacro %}
{% macro inner() %}{{ return(context_macro_stack) }}{% endmacro %}
