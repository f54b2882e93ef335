SELECT FROM factline.effect_call LIMIT 0
