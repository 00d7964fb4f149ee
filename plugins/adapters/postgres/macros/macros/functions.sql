{# Functions that PostgreSQL writes otherwise. #}
{% macro postgres__current_timestamp() -%}now(){%- endmacro %}
{% macro postgres__current_timestamp_in_utc_backcompat() -%}(current_timestamp at time zone 'utc')::{{ type_timestamp() }}{%- endmacro %}
{% macro postgres__dateadd(datepart, interval, from_date_or_timestamp) -%}
{{ from_date_or_timestamp }} + ((interval '1 {{ datepart }}') * ({{ interval }}))
{%- endmacro %}
{# As dbt: borders that lie between, finer parts on top of the coarser ones. #}
{% macro postgres__datediff(first_date, second_date, datepart) -%}
  {%- set date_of = {'first': '(' ~ first_date ~ ')::date', 'second': '(' ~ second_date ~ ')::date'} -%}
  {%- set time_of = {'first': '(' ~ first_date ~ ')::timestamp', 'second': '(' ~ second_date ~ ')::timestamp'} -%}
  {%- if datepart == 'year' -%}
(date_part('year', {{ date_of.second }}) - date_part('year', {{ date_of.first }}))
  {%- elif datepart in ['quarter', 'month'] -%}
({{ datediff(first_date, second_date, 'year') }} * {{ 4 if datepart == 'quarter' else 12 }} + date_part('{{ datepart }}', {{ date_of.second }}) - date_part('{{ datepart }}', {{ date_of.first }}))
  {%- elif datepart == 'day' -%}
({{ date_of.second }} - {{ date_of.first }})
  {%- elif datepart == 'week' -%}
({{ datediff(first_date, second_date, 'day') }} / 7 + case
    when date_part('dow', {{ time_of.first }}) <= date_part('dow', {{ time_of.second }}) then
        case when {{ first_date }} <= {{ second_date }} then 0 else -1 end
    else
        case when {{ first_date }} <= {{ second_date }} then 1 else 0 end
    end)
  {%- elif datepart == 'hour' -%}
({{ datediff(first_date, second_date, 'day') }} * 24 + date_part('hour', {{ time_of.second }}) - date_part('hour', {{ time_of.first }}))
  {%- elif datepart == 'minute' -%}
({{ datediff(first_date, second_date, 'hour') }} * 60 + date_part('minute', {{ time_of.second }}) - date_part('minute', {{ time_of.first }}))
  {%- elif datepart in ['second', 'millisecond', 'microsecond'] -%}
    {%- set units = {'second': 60, 'millisecond': 60000, 'microsecond': 60000000}[datepart] -%}
({{ datediff(first_date, second_date, 'minute') }} * {{ units }} + floor(date_part('{{ datepart }}', {{ time_of.second }})) - floor(date_part('{{ datepart }}', {{ time_of.first }})))
  {%- else -%}{{ exceptions.raise_compiler_error("datediff: unsupported datepart '" ~ datepart ~ "' for postgres") }}
  {%- endif -%}
{%- endmacro %}
{# An interval has no quarters. #}
{% macro postgres__last_day(date, datepart) -%}
  {%- if datepart == 'quarter' -%}
cast({{ dateadd('day', '-1', dateadd('month', '3', date_trunc(datepart, date))) }} as date)
  {%- else -%}{{ default_last_day(date, datepart) }}
  {%- endif -%}
{%- endmacro %}
{% macro postgres__any_value(expression) -%}min({{ expression }}){%- endmacro %}
{% macro postgres__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- set ordered = measure ~ (' ' ~ order_by_clause if order_by_clause else '') -%}
  {%- if limit_num -%}
array_to_string((array_agg({{ ordered }}))[1:{{ limit_num }}], {{ delimiter_text }})
  {%- else -%}
string_agg({{ measure }}, {{ delimiter_text }}{{ ' ' ~ order_by_clause if order_by_clause }})
  {%- endif -%}
{%- endmacro %}
{% macro postgres__information_schema_name(database) -%}information_schema{%- endmacro %}
{% macro postgres__check_schema_exists(information_schema, schema) -%}
  {{ return(run_query("select count(*) from pg_catalog.pg_namespace where nspname = '" ~ (schema | replace("'", "''")) ~ "'")) }}
{%- endmacro %}
{% macro postgres__list_schemas(database) -%}{{ return(run_query('select distinct nspname from pg_catalog.pg_namespace')) }}{%- endmacro %}
{% macro postgres__drop_schema_named(schema_name) -%}
  {%- call statement('drop_schema_named') -%}drop schema if exists {{ schema_name }} cascade{%- endcall -%}
{%- endmacro %}
