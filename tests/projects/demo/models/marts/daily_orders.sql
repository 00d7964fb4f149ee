{{ config(materialized='incremental', unique_key=['ordered_on', 'region'], incremental_strategy='delete+insert') }}
select o.ordered_on, c.region, count(*) as orders, sum(o.total_price) as total_price
from {{ ref('stg_orders') }} o
join {{ ref('stg_customers') }} c on c.customer_id = o.customer_id
{% if is_incremental() %}
where o.ordered_on >= (select max(ordered_on) from {{ this }})
{% endif %}
group by all
