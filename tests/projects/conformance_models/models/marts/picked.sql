{%- set cols = ['id', 'amount'] -%}
select {{ columns_of(cols, 'o.') }}
    {%- for n in var('names') %},
    case when name = '{{ n }}' then 1 else 0 end as is_{{ n }}
    {%- endfor %}
from {{ ref('orders_v') }} as o
