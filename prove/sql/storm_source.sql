CREATE SCHEMA storm;
CREATE TABLE storm.operation (operation_id text PRIMARY KEY);
CREATE TABLE storm.balance (account_id text PRIMARY KEY, amount bigint NOT NULL, entries bigint NOT NULL);
