{{ config(materialized='incremental', unique_key='id', incremental_strategy='delete+insert') }}
select id, amount, at from {{ ref('orders_v') }}
{% if is_incremental() %}
where at > (select max(at) from {{ this }})
{% endif %}
