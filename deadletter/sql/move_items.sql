UPDATE deadletter.redrive_item i
SET state = m.state, detail = m.detail,
    sent_at = CASE WHEN m.state = 'SENT' THEN @now ELSE i.sent_at END,
    settled_at = CASE WHEN m.state = 'SENT' THEN NULL ELSE @now::timestamptz END
FROM unnest(@seqs::int[], @states::text[], @details::text[]) AS m(seq, state, detail)
WHERE i.redrive_id = @redrive_id AND i.seq = m.seq
