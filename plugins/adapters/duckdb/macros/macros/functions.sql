{# Functions that DuckDB writes otherwise. #}
{% macro duckdb__current_timestamp() -%}now(){%- endmacro %}
{# A snapshot's times have no zone, whatever the clock says. #}
{% macro duckdb__snapshot_get_time() -%}{{ return('cast(' ~ current_timestamp() ~ ' as timestamp)') }}{%- endmacro %}
{% macro duckdb__dateadd(datepart, interval, from_date_or_timestamp) -%}
({{ from_date_or_timestamp }} + cast({{ interval }} as bigint) * interval 1 {{ datepart }})
{%- endmacro %}
{% macro duckdb__datediff(first_date, second_date, datepart) -%}
  {%- if datepart == 'week' -%}
({{ datediff(first_date, second_date, 'day') }} // 7 + case
    when date_part('dow', ({{ first_date }})::timestamp) <= date_part('dow', ({{ second_date }})::timestamp) then
        case when {{ first_date }} <= {{ second_date }} then 0 else -1 end
    else
        case when {{ first_date }} <= {{ second_date }} then 1 else 0 end
    end)
  {%- else -%}
(date_diff('{{ datepart }}', {{ first_date }}::timestamp, {{ second_date }}::timestamp))
  {%- endif -%}
{%- endmacro %}
{% macro duckdb__last_day(date, datepart) -%}
  {%- if datepart == 'quarter' -%}
cast({{ dateadd('day', '-1', dateadd('month', '3', date_trunc(datepart, date))) }} as date)
  {%- else -%}{{ default_last_day(date, datepart) }}
  {%- endif -%}
{%- endmacro %}
{% macro duckdb__date(year, month, day) -%}make_date({{ year }}, {{ month }}, {{ day }}){%- endmacro %}
{% macro duckdb__any_value(expression) -%}arbitrary({{ expression }}){%- endmacro %}
{% macro duckdb__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- set ordered = measure ~ (' ' ~ order_by_clause if order_by_clause else '') -%}
  {%- if limit_num -%}
list_aggr((array_agg({{ ordered }}))[1:{{ limit_num }}], 'string_agg', {{ delimiter_text }})
  {%- else -%}
string_agg({{ measure }}, {{ delimiter_text }}{{ ' ' ~ order_by_clause if order_by_clause }})
  {%- endif -%}
{%- endmacro %}
{% macro duckdb__split_part(string_text, delimiter_text, part_number) -%}
string_split({{ string_text }}, {{ delimiter_text }})[{{ part_number }}]
{%- endmacro %}
{% macro duckdb__generate_series(upper_bound) -%}
select generate_series as generated_number from generate_series(1, {{ upper_bound }})
{%- endmacro %}
{% macro duckdb__list_schemas(database) -%}
  {{ return(run_query("select schema_name from information_schema.schemata" ~ (" where catalog_name = '" ~ (database | replace('"', '') | replace("'", "''")) ~ "'" if database else ''))) }}
{%- endmacro %}
