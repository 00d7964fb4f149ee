select c.id, c.name, 1 as x from {{ ref('stg_customers') }} c
