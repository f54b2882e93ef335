UPDATE bench.business SET version = version + 1, note = $2 WHERE id = $1
