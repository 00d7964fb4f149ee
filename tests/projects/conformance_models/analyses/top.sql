select * from {{ ref('by_name') }} order by total desc limit {{ var('low') }}
