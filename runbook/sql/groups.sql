SELECT DISTINCT consumer FROM factline.consumer_offset ORDER BY consumer
