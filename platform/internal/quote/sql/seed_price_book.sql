INSERT INTO quote.mirror_price_book (tenant_id, price_book_id, price_book_code, version, body)
VALUES (@tenant_id, @id, @code, @version, @body)
ON CONFLICT DO NOTHING
