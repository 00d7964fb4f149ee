-- depends_on: {{ ref('tool') }}
select * from {{ ref('codes') }} where id <= {{ var('limit_rows') }}
