select id, name from {{ source('crm','customers') }}
