{# What DuckDB writes otherwise. #}
{% macro duckdb__drop_schema(relation) -%}
  {%- call statement('drop_schema') -%}drop schema if exists {{ relation.without_identifier() }} cascade{%- endcall -%}
{%- endmacro %}
{% macro duckdb__type_string() -%}varchar{%- endmacro %}
{% macro duckdb__type_float() -%}double{%- endmacro %}
{% macro duckdb__current_timestamp() -%}now(){%- endmacro %}
{% macro duckdb__datediff(first_date, second_date, datepart) -%}date_diff('{{ datepart }}', cast({{ first_date }} as timestamp), cast({{ second_date }} as timestamp)){%- endmacro %}
{% macro duckdb__safe_cast(field, type) -%}try_cast({{ field }} as {{ type }}){%- endmacro %}
