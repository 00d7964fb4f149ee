{{ config(materialized='incremental', unique_key='order_id', incremental_strategy=var('strategy', 'delete+insert'), pre_hook="select 1", post_hook=["insert into audit_log values ('{{ this.identifier }}')"]) }}
select * from {{ ref('orders') }}
{% if is_incremental() %} where order_date >= (select max(order_date) from {{ this }}) {% endif %}
