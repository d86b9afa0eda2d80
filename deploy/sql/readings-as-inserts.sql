-- The readings of a PostgreSQL as INSERT statements of 500 rows, for another PostgreSQL or for CrateDB (docs/OPERATIONS.md). Run it with psql -qAtX.
-- A row that is there already stays as it is, so it may be given twice.
SELECT 'INSERT INTO readings (device_id, ts, boot, seq, received_at, temperature_c, pressure_hpa, quality, flags, site, room, altitude_m, gateway, delivery) VALUES '
  || string_agg(format('(%L, %L, %s, %s, %L, %s, %s, %s, %s, %L, %L, %s, %L, %s)',
       device_id, to_char(ts AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), boot, seq, to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
       coalesce(temperature_c::text, 'NULL'), coalesce(pressure_hpa::text, 'NULL'), quality, flags, site, room, coalesce(altitude_m::text, 'NULL'), gateway, delivery), ', ')
  || ' ON CONFLICT DO NOTHING;'
FROM (SELECT *, row_number() OVER (ORDER BY device_id, ts, boot, seq) / 500 AS part FROM readings) AS numbered
GROUP BY part
ORDER BY part;
