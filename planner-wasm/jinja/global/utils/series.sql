{# Rows out of nothing: numbers and days. #}
{% macro get_powers_of_two(upper_bound) -%}{{ return(adapter.dispatch('get_powers_of_two', 'dbt')(upper_bound)) }}{%- endmacro %}
{# The least number of digits, at least one, with which two to their power reaches the bound. #}
{% macro default__get_powers_of_two(upper_bound) -%}
  {%- if upper_bound <= 0 -%}{{ exceptions.raise_compiler_error('upper bound must be positive') }}{%- endif -%}
  {%- for digits in range(1, 100) if upper_bound <= 2 ** digits -%}{{ return(digits) }}{%- endfor -%}
{%- endmacro %}

{% macro generate_series(upper_bound) -%}{{ return(adapter.dispatch('generate_series', 'dbt')(upper_bound)) }}{%- endmacro %}
{# One two-row table a binary digit, crossed. #}
{% macro default__generate_series(upper_bound) -%}
  {%- set digits = range(get_powers_of_two(upper_bound)) | list -%}
with p as (
    select 0 as generated_number union all select 1
), unioned as (
    select
    {% for n in digits -%}p{{ n }}.generated_number * power(2, {{ n }}){{ ' + ' if not loop.last }}{%- endfor %}
    + 1
    as generated_number
    from {% for n in digits -%}p as p{{ n }}{{ ' cross join ' if not loop.last }}{%- endfor %}
)
select *
from unioned
where generated_number <= {{ upper_bound }}
order by generated_number
{%- endmacro %}

{% macro get_intervals_between(start_date, end_date, datepart) -%}
  {{ return(adapter.dispatch('get_intervals_between', 'dbt')(start_date, end_date, datepart)) }}
{%- endmacro %}
{% macro default__get_intervals_between(start_date, end_date, datepart) -%}
  {%- call statement('get_intervals_between', fetch_result=True) -%}select {{ datediff(start_date, end_date, datepart) }}{%- endcall -%}
  {%- set answer = load_result('get_intervals_between') -%}
  {{ return((answer['data'][0][0] | int) if answer and answer['data'] else 1) }}
{%- endmacro %}

{% macro date_spine(datepart, start_date, end_date) -%}{{ return(adapter.dispatch('date_spine', 'dbt')(datepart, start_date, end_date)) }}{%- endmacro %}
{% macro default__date_spine(datepart, start_date, end_date) -%}
with rawdata as (
    {{ generate_series(get_intervals_between(start_date, end_date, datepart)) }}
),
all_periods as (
    select (
        {{ dateadd(datepart, 'row_number() over (order by 1) - 1', start_date) }}
    ) as date_{{ datepart }}
    from rawdata
),
filtered as (
    select *
    from all_periods
    where date_{{ datepart }} <= {{ end_date }}
)
select * from filtered
{%- endmacro %}
