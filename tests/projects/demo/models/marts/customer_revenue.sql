select c.customer_id, c.customer, c.nation, c.region,
       count(distinct o.order_id) as orders,
       sum(l.extended_price * (1 - l.discount)) as revenue
from {{ ref('stg_customers') }} c
join {{ ref('stg_orders') }} o on o.customer_id = c.customer_id
join {{ ref('stg_lineitems') }} l on l.order_id = o.order_id
where o.ordered_on >= date '1995-01-01'
  and o.ordered_on < date '1995-04-01'
  and l.ship_mode in ('AIR', 'RAIL')
  and upper(o.status) = 'F'
group by all
