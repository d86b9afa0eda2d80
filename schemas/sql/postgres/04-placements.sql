-- Where a device hung from valid_from on, until its next row; a row without site, room and altitude ends the one before.
CREATE TABLE IF NOT EXISTS {schema}.placements (
  device_id text NOT NULL,
  valid_from timestamptz NOT NULL,
  site text,
  room text,
  altitude_m double precision,
  latitude double precision,
  longitude double precision,
  labels jsonb,
  PRIMARY KEY (device_id, valid_from)
)
