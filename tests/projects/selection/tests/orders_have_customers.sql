select * from {{ ref('orders') }} join {{ ref('stg_customers') }} c on true where 1=0
