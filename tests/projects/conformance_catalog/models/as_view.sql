select id, happened, note, amount * 2 as doubled from {{ ref('events') }}
