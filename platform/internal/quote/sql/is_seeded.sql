SELECT EXISTS (SELECT FROM quote.mirror_policy)
