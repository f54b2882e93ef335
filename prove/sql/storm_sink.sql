CREATE SCHEMA storm;
-- Nothing here is unique by event: a doubled effect must be seen, not refused.
CREATE TABLE storm.entry (
    sequence   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id text   NOT NULL,
    version    bigint NOT NULL,
    event_id   text   NOT NULL
);
CREATE TABLE storm.balance (account_id text PRIMARY KEY, amount bigint NOT NULL, entries bigint NOT NULL);
