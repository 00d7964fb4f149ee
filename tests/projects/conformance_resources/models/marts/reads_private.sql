select * from {{ ref('private_part') }} -- same group
