-- Each reading with all that is known of its placement, as the placements are now; readings.site, room and altitude_m are as they were when it was stored.
CREATE VIEW {schema}.readings_placed AS
SELECT r.device_id, r.ts, r.boot, r.seq, r.received_at, r.temperature_c, r.pressure_hpa, r.quality, r.flags,
  p.site, p.room, p.altitude_m, p.latitude, p.longitude, p.labels, r.gateway, r.delivery
FROM {schema}.readings AS r
LEFT JOIN LATERAL (
  SELECT * FROM {schema}.placements
  WHERE placements.device_id = r.device_id AND placements.valid_from <= r.ts
  ORDER BY placements.valid_from DESC LIMIT 1
) AS p ON true
