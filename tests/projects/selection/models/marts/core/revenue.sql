{{ config(group='finance', access='private', enabled=true) }} select * from {{ ref('orders') }} join {{ ref('weeks') }} using (id)
