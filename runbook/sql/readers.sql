SELECT DISTINCT consumer FROM factline.consumer_offset WHERE topic = @topic ORDER BY consumer
