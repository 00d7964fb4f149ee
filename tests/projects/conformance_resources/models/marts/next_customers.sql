select * from {{ ref('customers', v=2) }}
