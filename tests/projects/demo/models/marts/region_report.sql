{{ config(materialized='view', dialect=none) }}
select region, count(*) as customers, sum(orders) as orders, sum(revenue) as revenue
from {{ ref('customer_revenue') }}
group by region
