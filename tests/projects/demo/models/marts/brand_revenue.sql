select p.brand, sum(l.extended_price * (1 - l.discount)) as revenue
from {{ ref('stg_lineitems') }} l
join {{ ref('stg_parts') }} p on p.part_id = l.part_id
where l.shipped_on >= date '1998-06-01'
group by p.brand
