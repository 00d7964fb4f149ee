select {{ cents('id') }} from {{ ref('report') }}
