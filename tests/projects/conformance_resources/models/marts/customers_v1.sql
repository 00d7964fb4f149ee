select id, 1 as old from {{ ref('stg_customers') }}
