-- The seqs that are missing in each boot: before its first row (seq counts from 0) and between two rows. What retention has deleted shows too.
-- Ask for one device at a time: WHERE device_id = '...'. A self-join, as lag and lead are not in every CrateDB build.
CREATE VIEW {schema}.gaps AS
SELECT later.device_id, later.boot, coalesce(earlier.seq, -1) + 1 AS from_seq, later.seq - 1 AS to_seq
FROM (
  SELECT device_id, boot, seq, row_number() OVER (PARTITION BY device_id, boot ORDER BY seq) AS n FROM {schema}.readings
) AS later
LEFT JOIN (
  SELECT device_id, boot, seq, row_number() OVER (PARTITION BY device_id, boot ORDER BY seq) AS n FROM {schema}.readings
) AS earlier
ON earlier.device_id = later.device_id AND earlier.boot = later.boot AND earlier.n = later.n - 1
WHERE later.seq > coalesce(earlier.seq, -1) + 1
