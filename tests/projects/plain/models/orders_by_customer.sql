select c.first_name, count(*) as orders from {{ ref('recent_customers') }} c join {{ ref('orders') }} o on o.customer_id = c.customer_id group by c.first_name
