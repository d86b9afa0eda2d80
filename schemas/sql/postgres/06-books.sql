-- The counters of each gateway's inbox as of updated_at, in readings: received = stored + duplicate + dead + pending in each row.
CREATE TABLE IF NOT EXISTS {schema}.books (
  gateway text NOT NULL,
  device_id text NOT NULL,
  received bigint NOT NULL,
  stored bigint NOT NULL,
  duplicate bigint NOT NULL,
  dead bigint NOT NULL,
  pending bigint NOT NULL,
  last_boot bigint,
  last_seq bigint,
  updated_at timestamptz NOT NULL,
  PRIMARY KEY (gateway, device_id)
)
