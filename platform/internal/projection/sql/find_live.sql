SELECT table_name FROM projection.live_table WHERE name = $1
