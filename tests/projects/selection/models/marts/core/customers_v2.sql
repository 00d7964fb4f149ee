select c.id, c.name, n.name as country from {{ ref('stg_customers') }} c left join {{ ref('countries') }} n on n.id = c.id
