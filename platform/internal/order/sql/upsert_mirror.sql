INSERT INTO orders.mirror_quote AS m (tenant_id, quote_id, revision, last_version, approval_mode, snapshot_hash, state)
VALUES (@tenant_id, @quote_id, @revision, @version, @approval_mode, @snapshot_hash, @state)
ON CONFLICT (tenant_id, quote_id) DO UPDATE SET
    last_version = excluded.last_version, state = excluded.state,
    approval_mode = CASE WHEN excluded.approval_mode <> '' OR excluded.revision <> m.revision THEN excluded.approval_mode ELSE m.approval_mode END,
    snapshot_hash = CASE WHEN excluded.snapshot_hash <> '' OR excluded.revision <> m.revision THEN excluded.snapshot_hash ELSE m.snapshot_hash END,
    revision = excluded.revision
WHERE m.last_version < excluded.last_version
