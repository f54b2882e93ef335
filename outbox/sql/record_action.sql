INSERT INTO factline.operator_action (action_id, action, target, operator, reason, detail, acted_at)
VALUES (@action_id::text, @action::text, @target::text, @operator::text, @reason::text, @detail::jsonb, clock_timestamp())
