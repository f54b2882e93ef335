SELECT EXISTS (SELECT FROM orders.mirror_entitlement)
