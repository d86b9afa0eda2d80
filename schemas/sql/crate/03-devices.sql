-- One row a device that was ever heard. last_seen is written once a minute at most; state comes from <device>/state, birth from <device>/birth.
CREATE TABLE IF NOT EXISTS {schema}.devices (
  device_id TEXT NOT NULL,
  enabled BOOLEAN DEFAULT true NOT NULL,
  sensor TEXT,
  firmware TEXT,
  first_seen TIMESTAMP WITH TIME ZONE,
  last_seen TIMESTAMP WITH TIME ZONE,
  state TEXT,
  state_at TIMESTAMP WITH TIME ZONE,
  state_gateway TEXT,
  last_boot BIGINT,
  birth OBJECT(IGNORED),
  PRIMARY KEY (device_id)
) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')
