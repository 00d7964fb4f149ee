{{ config(target='parts') }}
select p_partkey as part_id, p_name as part, p_brand as brand, p_type as type
from {{ source('parts', 'part') }}
