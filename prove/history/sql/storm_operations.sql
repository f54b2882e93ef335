SELECT operation_id FROM storm.operation ORDER BY operation_id
