{{ config(severity='warn', group='finance', tags=['singular_tag']) }} select * from {{ ref('revenue') }} where 1=0
