SELECT count(*) FROM quote.quote_acceptance
