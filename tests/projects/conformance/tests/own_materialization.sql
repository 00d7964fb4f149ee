select * from {{ ref('built') }} where note <> 'kept' or other <> 'usual'
