{# Three days of a table: rows change, go and come back; the third day has a column more. #}
{{ config(materialized='table') }}
{% set types = {'mysql': ['char(20)', 'datetime'], 'sqlite': ['text', 'text']}.get(target.type, ['varchar(20)', 'timestamp']) %}
{% set rows = {
  1: [(1, 'Ada', 'x', '01'), (2, 'Bob', none, '01'), (3, 'Cy', 'z', '01')],
  2: [(1, 'Ada L', 'x', '02'), (2, 'Bob', 'y', '01'), (4, 'Di', 'w', '02')],
  3: [(1, 'Ada L', 'x', '02'), (2, 'Bob', 'y', '03'), (3, 'Cy', 'z', '03'), (4, 'Di', none, '03')],
}[var('day')] %}
{% for id, name, code, day in rows %}
select {{ id }} as id, cast('{{ name }}' as {{ types[0] }}) as name, {{ "'" ~ code ~ "'" if code else 'null' }} as code,
  cast('2024-01-{{ day }} 00:00:00' as {{ types[1] }}) as updated_at{{ ', 7 as extra' if var('day') == 3 }}
{{ 'union all' if not loop.last }}
{% endfor %}
