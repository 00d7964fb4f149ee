{% test is_positive(model, column) %}
{{ config(fail_calc='count(*)') }}
select * from {{ model }} where {{ column }} < 0
{% endtest %}
