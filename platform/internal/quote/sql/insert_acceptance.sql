INSERT INTO quote.quote_acceptance (quote_id, revision, tenant_id, accepted_by, accepted_at, evidence_ref, evidence_method,
    evidence_reference, snapshot_hash, idempotency_key)
VALUES (@quote_id, @revision, @tenant_id, @accepted_by, @accepted_at, @evidence_ref, @evidence_method,
    @evidence_reference, @snapshot_hash, @idempotency_key)
