{{ config(materialized='ephemeral', dialect='duckdb') }}
select c.c_custkey as customer_id, c.c_name as customer, c.c_mktsegment as segment, n.n_name as nation, r.r_name as region
from {{ source('crm', 'customer') }} c
join {{ source('crm', 'nation') }} n on n.n_nationkey = c.c_nationkey
join {{ source('crm', 'region') }} r on r.r_regionkey = n.n_regionkey
