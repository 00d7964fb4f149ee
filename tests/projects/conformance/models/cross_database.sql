{{ config(materialized='table') }}
{# Each function as the database answers it. #}
{% set cases = {
  'concat': [dbt.concat(["'a'", "'b'"]), "'ab'"],
  'length': [dbt.length("'abc'"), "3"],
  'replace': [dbt.replace("'abc'", "'b'", "'x'"), "'axc'"],
  'position': [dbt.position("'b'", "'abc'"), "2"],
  'right': [dbt.right("'abc'", 2), "'bc'"],
  'split_part': [dbt.split_part("'a|b|c'", "'|'", 2), "'b'"],
  'split_part from the end': [dbt.split_part("'a|b|c'", "'|'", -1), "'c'"],
  'hash': [dbt.hash("'x'"), "'9dd4e461268c8034f5c8564e155c67a6'"],
  'escape_single_quotes': ["'" ~ dbt.escape_single_quotes("it's") ~ "'", "'it''s'"],
  'safe_cast': [dbt.safe_cast("'1'", dbt.type_int()), "1"],
  'cast_bool_to_text': [dbt.cast_bool_to_text("1 = 1"), "'true'"],
  'equals': [dbt.cast_bool_to_text(dbt.equals("1", "1")), "'true'"],
  'date': [dbt.date(2024, 2, 9), "cast('2024-02-09' as date)"],
  'dateadd': [dbt.cast(dbt.dateadd('day', 2, "cast('2024-02-28' as date)"), 'date'), "cast('2024-03-01' as date)"],
  'date_trunc': [dbt.cast(dbt.date_trunc('month', "cast('2024-02-28' as date)"), 'date'), "cast('2024-02-01' as date)"],
  'last_day': [dbt.last_day("cast('2024-02-03' as date)", 'month'), "cast('2024-02-29' as date)"],
  'last_day of a quarter': [dbt.last_day("cast('2024-02-03' as date)", 'quarter'), "cast('2024-03-31' as date)"],
  'datediff in years': [dbt.datediff("cast('2023-12-31' as date)", "cast('2024-01-01' as date)", 'year'), "1"],
  'datediff in months': [dbt.datediff("cast('2023-12-31' as date)", "cast('2024-02-01' as date)", 'month'), "2"],
  'datediff in weeks': [dbt.datediff("cast('2024-01-06' as date)", "cast('2024-01-07' as date)", 'week'), "1"],
  'datediff in days': [dbt.datediff("cast('2024-02-28' as date)", "cast('2024-03-01' as date)", 'day'), "2"],
  'datediff in hours': [dbt.datediff("cast('2024-02-28 23:59:00' as timestamp)", "cast('2024-02-29 01:00:00' as timestamp)", 'hour'), "2"],
  'array_append': ["(" ~ dbt.array_append(dbt.array_construct(['1', '2']), '3') ~ ")[3]", "3"],
} %}
{% for feature, pair in cases.items() %}
select '{{ feature }}' as feature, cast({{ pair[0] }} as {{ dbt.type_string() }}) as got, cast({{ pair[1] }} as {{ dbt.type_string() }}) as want
union all
{% endfor %}
select 'listagg', {{ dbt.listagg('name', "'-'", 'order by id') }}, 'one-two' from {{ ref('numbers') }}
union all
select 'any_value and bool_or', case when {{ dbt.bool_or('id > 2') }} then cast({{ dbt.any_value('1') }} as {{ dbt.type_string() }}) end, '1' from {{ ref('numbers') }}
union all
select 'date_spine', cast(count(*) as {{ dbt.type_string() }}), '9' from ({{ dbt.date_spine('day', "cast('2024-01-01' as date)", "cast('2024-01-10' as date)") }}) spine
union all
select 'generate_series', cast(cast(sum(generated_number) as {{ dbt.type_int() }}) as {{ dbt.type_string() }}), '15' from ({{ dbt.generate_series(5) }}) series
union all
select 'except', cast(count(*) as {{ dbt.type_string() }}), '1' from (select id from {{ ref('numbers') }} {{ dbt.except() }} select id from {{ ref('inlined') }}) gone
