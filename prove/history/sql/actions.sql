SELECT action FROM factline.operator_action WHERE target = $1 ORDER BY acted_at
