{{ config(materialized='incremental', unique_key='id', group='finance', access='public') }}
select o.*, {{ cents('amount') }} as cents from {{ ref('int_orders') }} o join {{ ref('customers') }} c on c.id = o.customer_id
