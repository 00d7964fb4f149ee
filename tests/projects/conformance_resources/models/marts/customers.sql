{{ config(unique_key='id') }}
select id, cast('a' as varchar) as name from {{ ref('stg_customers') }} union all select id + 10, 'b' from {{ ref('stg_orders') }}
