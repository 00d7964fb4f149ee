{{ config(schema='shown', post_hook="insert into seen select count(*) from {{ this }}") }}
with labels as (
    select * from {{ ref('names') }}
)
select l.label, {{ total('o.amount') }} as total, {% call wrapped() %}max(s.more){% endcall %} as more
from {{ ref('orders_v') }} o
join labels l using (name)
left join {{ ref('steps_2') }} s on s.id = o.id
group by 1
