{# Functions that MySQL and MariaDB write otherwise. #}
{% macro mysql__type_string() -%}char{%- endmacro %}
{% macro mysql__type_timestamp() -%}datetime(6){%- endmacro %}
{% macro mysql__type_int() -%}signed{%- endmacro %}
{% macro mysql__type_bigint() -%}signed{%- endmacro %}
{% macro mysql__type_float() -%}double{%- endmacro %}
{% macro mysql__type_numeric() -%}decimal(28,6){%- endmacro %}
{% macro mysql__type_boolean() -%}signed{%- endmacro %}
{% macro mysql__current_timestamp() -%}current_timestamp(6){%- endmacro %}
{% macro mysql__concat(fields) -%}concat({{ fields | join(', ') }}){%- endmacro %}
{% macro mysql__dateadd(datepart, interval, from_date_or_timestamp) -%}
date_add({{ from_date_or_timestamp }}, interval ({{ interval }}) {{ datepart }})
{%- endmacro %}
{# dbt counts the borders that lie between, timestampdiff the whole units. A week begins on Sunday, as where dbt's own adapters count. #}
{% macro mysql__datediff(first_date, second_date, datepart) -%}
  {%- set years = '(year(' ~ second_date ~ ') - year(' ~ first_date ~ '))' -%}
  {%- if datepart == 'year' -%}{{ years }}
  {%- elif datepart == 'quarter' -%}({{ years }} * 4 + quarter({{ second_date }}) - quarter({{ first_date }}))
  {%- elif datepart == 'month' -%}({{ years }} * 12 + month({{ second_date }}) - month({{ first_date }}))
  {%- elif datepart == 'week' -%}(timestampdiff(day, date_sub(date({{ first_date }}), interval dayofweek({{ first_date }}) day), date_sub(date({{ second_date }}), interval dayofweek({{ second_date }}) day)) div 7)
  {%- elif datepart == 'day' -%}datediff({{ second_date }}, {{ first_date }})
  {%- elif datepart == 'hour' -%}timestampdiff(hour, date_format({{ first_date }}, '%Y-%m-%d %H:00:00'), date_format({{ second_date }}, '%Y-%m-%d %H:00:00'))
  {%- elif datepart == 'minute' -%}timestampdiff(minute, date_format({{ first_date }}, '%Y-%m-%d %H:%i:00'), date_format({{ second_date }}, '%Y-%m-%d %H:%i:00'))
  {%- elif datepart == 'second' -%}timestampdiff(second, date_format({{ first_date }}, '%Y-%m-%d %H:%i:%s'), date_format({{ second_date }}, '%Y-%m-%d %H:%i:%s'))
  {%- else -%}{{ exceptions.raise_compiler_error("datediff: unsupported datepart '" ~ datepart ~ "'") }}
  {%- endif -%}
{%- endmacro %}
{% macro mysql__date_trunc(datepart, date) -%}
  {%- if datepart == 'year' -%}cast(date_format({{ date }}, '%Y-01-01') as datetime)
  {%- elif datepart == 'quarter' -%}cast(makedate(year({{ date }}), 1) + interval quarter({{ date }}) - 1 quarter as datetime)
  {%- elif datepart == 'month' -%}cast(date_format({{ date }}, '%Y-%m-01') as datetime)
  {%- elif datepart == 'week' -%}cast(date_sub(date({{ date }}), interval weekday({{ date }}) day) as datetime)
  {%- elif datepart == 'day' -%}cast(date({{ date }}) as datetime)
  {%- elif datepart == 'hour' -%}cast(date_format({{ date }}, '%Y-%m-%d %H:00:00') as datetime)
  {%- elif datepart == 'minute' -%}cast(date_format({{ date }}, '%Y-%m-%d %H:%i:00') as datetime)
  {%- elif datepart == 'second' -%}cast(date_format({{ date }}, '%Y-%m-%d %H:%i:%s') as datetime)
  {%- else -%}{{ exceptions.raise_compiler_error("date_trunc: unsupported datepart '" ~ datepart ~ "'") }}
  {%- endif -%}
{%- endmacro %}
{% macro mysql__length(expression) -%}char_length({{ expression }}){%- endmacro %}
{% macro mysql__any_value(expression) -%}min({{ expression }}){%- endmacro %}
{% macro mysql__bool_or(expression) -%}max({{ expression }}){%- endmacro %}
{% macro mysql__listagg(measure, delimiter_text, order_by_clause, limit_num) -%}
  {%- if limit_num -%}{{ exceptions.raise_compiler_error("listagg: limit_num is not supported for mysql") }}{%- endif -%}
group_concat({{ measure }}{{ ' ' ~ order_by_clause if order_by_clause }} separator {{ delimiter_text }})
{%- endmacro %}
{% macro mysql__split_part(string_text, delimiter_text, part_number) -%}
  {#- Without the test, what lies beyond the last part would be the last part. -#}
  {%- set there = '(char_length(' ~ string_text ~ ') - char_length(replace(' ~ string_text ~ ', ' ~ delimiter_text ~ ", ''))) / char_length(" ~ delimiter_text ~ ') + 1 >= abs(' ~ part_number ~ ')' -%}
case when {{ there }} then substring_index(substring_index({{ string_text }}, {{ delimiter_text }}, {{ part_number }}), {{ delimiter_text }}, case when {{ part_number }} < 0 then 1 else -1 end) when {{ string_text }} is not null then '' end
{%- endmacro %}
{% macro mysql__escape_single_quotes(expression) -%}{{ expression | replace("\\", "\\\\") | replace("'", "''") }}{%- endmacro %}
{% macro mysql__date(year, month, day) -%}date '{{ '%04d-%02d-%02d' % (year, month, day) }}'{%- endmacro %}
