-- One row a device that was ever heard. last_seen is written once a minute at most; state comes from <device>/state, birth from <device>/birth.
CREATE TABLE IF NOT EXISTS {schema}.devices (
  device_id text NOT NULL,
  enabled boolean NOT NULL DEFAULT true,
  sensor text,
  firmware text,
  first_seen timestamptz,
  last_seen timestamptz,
  state text,
  state_at timestamptz,
  state_gateway text,
  last_boot bigint,
  birth jsonb,
  PRIMARY KEY (device_id)
)
