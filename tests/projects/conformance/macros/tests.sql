{% test all_equal(model, column_name, other, offset=0) %}
  {{ config(fail_calc='coalesce(sum(n), 0)', error_if='> 0') }}
  select count(*) as n from {{ model }} where {{ column_name }} is distinct from {{ other }} + {{ offset }} having count(*) > 0
{% endtest %}
