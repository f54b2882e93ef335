INSERT INTO factline.operator_action (action_id, action, target, operator, reason, detail, acted_at)
VALUES (@action_id, @action, @target, @operator, @reason, @detail, @now)
