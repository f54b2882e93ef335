INSERT INTO factline.operator_action (action_id, action, target, operator, reason, detail, acted_at)
VALUES ($1, 'deadletter.skip', $2, $3, $4, $5, $6)
