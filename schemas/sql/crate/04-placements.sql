-- Where a device hung from valid_from on, until its next row; a row without site, room and altitude ends the one before.
CREATE TABLE IF NOT EXISTS {schema}.placements (
  device_id TEXT NOT NULL,
  valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
  site TEXT,
  room TEXT,
  altitude_m DOUBLE PRECISION,
  latitude DOUBLE PRECISION,
  longitude DOUBLE PRECISION,
  labels OBJECT(IGNORED),
  PRIMARY KEY (device_id, valid_from)
) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')
