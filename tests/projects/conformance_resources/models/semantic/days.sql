select cast('2020-01-01' as timestamp) as day, 1 as f
