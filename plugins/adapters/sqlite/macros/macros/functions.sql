{# Functions that SQLite writes otherwise: dates are text, as its own functions give them. #}
{% macro sqlite__current_timestamp() -%}datetime('now'){%- endmacro %}
{% macro sqlite__type_timestamp() -%}datetime{%- endmacro %}
{% macro sqlite__type_float() -%}double{%- endmacro %}
{# A modifier that SQLite does not know makes NULL of the whole, and a month's end would run over into the next. #}
{% macro sqlite__dateadd(datepart, interval, from_date_or_timestamp) -%}
  {%- set units = {'year': ('1', 'year'), 'quarter': ('3', 'month'), 'month': ('1', 'month'), 'week': ('7', 'day'), 'day': ('1', 'day'), 'hour': ('1', 'hour'), 'minute': ('1', 'minute'), 'second': ('1', 'second')} -%}
  {%- set unit = units.get(datepart | lower) -%}
  {%- if not unit -%}{{ exceptions.raise_compiler_error("dateadd: unsupported datepart '" ~ datepart ~ "' for sqlite") }}{%- endif -%}
datetime({{ from_date_or_timestamp }}, (({{ interval }}) * {{ unit[0] }}) || ' {{ unit[1] }}'{{ ", 'floor'" if unit[1] in ['year', 'month'] }})
{%- endmacro %}
{% macro sqlite__any_value(expression) -%}min({{ expression }}){%- endmacro %}
{% macro sqlite__bool_or(expression) -%}max({{ expression }}){%- endmacro %}
{% macro sqlite__position(substring_text, string_text) -%}instr({{ string_text }}, {{ substring_text }}){%- endmacro %}
{% macro sqlite__right(string_text, length_expression) -%}substr({{ string_text }}, -({{ length_expression }})){%- endmacro %}
{% macro sqlite__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- if limit_num -%}{{ exceptions.raise_compiler_error("listagg: limit_num is not supported for sqlite") }}{%- endif -%}
group_concat({{ measure }}, {{ delimiter_text }}{{ ' ' ~ order_by_clause if order_by_clause }})
{%- endmacro %}
{% macro sqlite__date_trunc(datepart, date) -%}
  {%- set forms = {'year': '%Y-01-01 00:00:00', 'month': '%Y-%m-01 00:00:00', 'day': '%Y-%m-%d 00:00:00', 'hour': '%Y-%m-%d %H:00:00', 'minute': '%Y-%m-%d %H:%M:00', 'second': '%Y-%m-%d %H:%M:%S'} -%}
  {%- if datepart in forms -%}strftime('{{ forms[datepart] }}', {{ date }})
  {%- elif datepart == 'week' -%}datetime({{ date }}, 'start of day', 'weekday 0', '-6 days')
  {%- elif datepart == 'quarter' -%}datetime({{ date }}, 'start of month', '-' || ((cast(strftime('%m', {{ date }}) as integer) - 1) % 3) || ' months')
  {%- else -%}{{ exceptions.raise_compiler_error("date_trunc: unsupported datepart '" ~ datepart ~ "' for sqlite") }}
  {%- endif -%}
{%- endmacro %}
{# dbt counts the borders that lie between. A week begins on Sunday, as where dbt's own adapters count. #}
{% macro sqlite__datediff(first_date, second_date, datepart) -%}
  {%- set years = "(strftime('%Y', " ~ second_date ~ ") - strftime('%Y', " ~ first_date ~ "))" -%}
  {%- set months = "(" ~ years ~ " * 12 + strftime('%m', " ~ second_date ~ ") - strftime('%m', " ~ first_date ~ "))" -%}
  {%- if datepart == 'year' -%}{{ years }}
  {%- elif datepart == 'quarter' -%}({{ years }} * 4 + (strftime('%m', {{ second_date }}) + 2) / 3 - (strftime('%m', {{ first_date }}) + 2) / 3)
  {%- elif datepart == 'month' -%}{{ months }}
  {%- elif datepart == 'week' -%}
((julianday({{ second_date }}, 'start of day', '-6 days', 'weekday 0') - julianday({{ first_date }}, 'start of day', '-6 days', 'weekday 0')) / 7)
  {%- elif datepart in ['day', 'hour', 'minute', 'second'] -%}
    {%- set unit = {'day': 86400, 'hour': 3600, 'minute': 60, 'second': 1}[datepart] -%}
((strftime('%s', {{ date_trunc(datepart, second_date) }}) - strftime('%s', {{ date_trunc(datepart, first_date) }})) / {{ unit }})
  {%- else -%}{{ exceptions.raise_compiler_error("datediff: unsupported datepart '" ~ datepart ~ "' for sqlite") }}
  {%- endif -%}
{%- endmacro %}
{% macro sqlite__last_day(date, datepart) -%}
  {%- set months = {'month': 1, 'quarter': 3, 'year': 12} -%}
  {%- if datepart not in months -%}{{ exceptions.raise_compiler_error("last_day: unsupported datepart '" ~ datepart ~ "' for sqlite") }}{%- endif -%}
date({{ date_trunc(datepart, date) }}, '+{{ months[datepart] }} months', '-1 day')
{%- endmacro %}
{% macro sqlite__date(year, month, day) -%}date('{{ '%04d-%02d-%02d' % (year, month, day) }}'){%- endmacro %}
{% macro sqlite__list_relations_without_caching(schema_relation) -%}
  {{ return(run_query("select '' as database, name, '" ~ (schema_relation.schema | replace("'", "''")) ~ "' as schema, type from " ~ adapter.quote(schema_relation.schema) ~ ".sqlite_master where type in ('table', 'view') and name not like 'sqlite_%'")) }}
{%- endmacro %}
