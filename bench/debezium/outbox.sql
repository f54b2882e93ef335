-- The table of Debezium's documentation for its outbox event router, and a
-- column for the topic, by which warm-up and measurement are told apart. The
-- payload is text, which costs Debezium less than jsonb.
CREATE TABLE public.outbox (
    id            varchar(64)  PRIMARY KEY,
    aggregatetype varchar(255) NOT NULL,
    aggregateid   varchar(255) NOT NULL,
    type          varchar(255) NOT NULL,
    payload       text         NOT NULL
);
