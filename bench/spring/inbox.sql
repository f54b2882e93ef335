-- The inbox: a row per consumer and event that it has taken.
CREATE TABLE public.spring_inbox (
    consumer text        NOT NULL,
    event_id text        NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer, event_id)
);
