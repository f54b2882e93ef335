SELECT request = @request, order_key IS NOT DISTINCT FROM @order_key
FROM factline.effect_call
WHERE name = @name AND key = @key
