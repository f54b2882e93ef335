SELECT factline.outbox_make_partitions(clock_timestamp())
