

{{ config(tags=['early']) }}

-- a comment with 'quotes'
select id, name, amount, cast(at as date) as at
from {{ ref('orders') }}
{#- a Jinja comment -#}
{% if var('low') > 1 %}
where amount >= {{ var('low') }}
{% endif %}
