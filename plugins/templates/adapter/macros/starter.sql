{# dbt macros named starter__… where the product differs from the defaults and from the extended product. #}
{% macro starter__current_timestamp() -%}now(){%- endmacro %}
