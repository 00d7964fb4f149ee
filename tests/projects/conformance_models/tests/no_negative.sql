select * from {{ ref('picked') }} where amount < 0
