-- The books of each device over all gateways.
CREATE VIEW {schema}.books_total AS
SELECT device_id, sum(received)::bigint AS received, sum(stored)::bigint AS stored, sum(duplicate)::bigint AS duplicate,
  sum(dead)::bigint AS dead, sum(pending)::bigint AS pending, max(updated_at) AS updated_at
FROM {schema}.books
GROUP BY device_id
