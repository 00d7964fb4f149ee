select
    c.id as customer_id,
    c.name,
    count(*) as orders,
    sum(o.amount) as spent
from {{ ref('raw_customers') }} as c
join {{ ref('raw_orders') }} as o on o.customer_id = c.id
where o.ordered_on >= '2024-02-01'
group by c.id, c.name
