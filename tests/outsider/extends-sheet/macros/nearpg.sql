{# Everything else comes from the extended product's package. #}
{% macro nearpg__current_timestamp() -%}clock_timestamp(){%- endmacro %}
