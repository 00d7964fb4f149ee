select * from {{ ref('customers', v=1) }} union all select id, name from {{ ref('codes') }}
