-- Each reading with all that is known of its placement, as the placements are now; readings.site, room and altitude_m are as they were when it was stored.
CREATE VIEW {schema}.readings_placed AS
SELECT r.device_id, r.ts, r.boot, r.seq, r.received_at, r.temperature_c, r.pressure_hpa, r.quality, r.flags,
  p.site, p.room, p.altitude_m, p.latitude, p.longitude, p.labels, r.gateway, r.delivery
FROM {schema}.readings AS r
LEFT JOIN (
  SELECT since.device_id, since.valid_from, until.valid_from AS valid_to, since.site, since.room, since.altitude_m, since.latitude, since.longitude, since.labels
  FROM (
    SELECT device_id, valid_from, site, room, altitude_m, latitude, longitude, labels, row_number() OVER (PARTITION BY device_id ORDER BY valid_from) AS n FROM {schema}.placements
  ) AS since
  LEFT JOIN (
    SELECT device_id, valid_from, row_number() OVER (PARTITION BY device_id ORDER BY valid_from) AS n FROM {schema}.placements
  ) AS until
  ON until.device_id = since.device_id AND until.n = since.n + 1
) AS p
ON p.device_id = r.device_id AND p.valid_from <= r.ts AND (p.valid_to IS NULL OR r.ts < p.valid_to)
