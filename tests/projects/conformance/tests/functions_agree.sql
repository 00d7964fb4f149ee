select * from {{ ref('cross_database') }} where got is distinct from want
