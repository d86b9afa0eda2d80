-- The counters of each gateway's inbox as of updated_at, in readings: received = stored + duplicate + dead + pending in each row.
CREATE TABLE IF NOT EXISTS {schema}.books (
  gateway TEXT NOT NULL,
  device_id TEXT NOT NULL,
  received BIGINT NOT NULL,
  stored BIGINT NOT NULL,
  duplicate BIGINT NOT NULL,
  dead BIGINT NOT NULL,
  pending BIGINT NOT NULL,
  last_boot BIGINT,
  last_seq BIGINT,
  updated_at TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY (gateway, device_id)
) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')
