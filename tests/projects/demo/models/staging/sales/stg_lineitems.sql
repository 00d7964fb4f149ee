select l_orderkey as order_id, l_partkey as part_id, l_suppkey as supplier_id, l_quantity as quantity,
       l_extendedprice as extended_price, l_discount as discount, l_shipdate as shipped_on, l_shipmode as ship_mode
from {{ source('sales', 'lineitem') }}
