-- One row a reading, a partition a month. Without CLUSTERED BY rows are routed by the whole key and spread evenly.
-- quality is the QARTOD flag (1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing); flags are the bits of schemas/row.ts.
-- (gateway, delivery) names the inbox entry that brought the row.
CREATE TABLE IF NOT EXISTS {schema}.readings (
  device_id TEXT NOT NULL,
  ts TIMESTAMP WITH TIME ZONE NOT NULL,
  boot BIGINT NOT NULL,
  seq BIGINT NOT NULL,
  month TIMESTAMP WITH TIME ZONE GENERATED ALWAYS AS date_trunc('month', ts),
  received_at TIMESTAMP WITH TIME ZONE NOT NULL,
  temperature_c DOUBLE PRECISION,
  pressure_hpa DOUBLE PRECISION,
  quality INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  site TEXT,
  room TEXT,
  altitude_m DOUBLE PRECISION,
  gateway TEXT NOT NULL,
  delivery BIGINT NOT NULL,
  PRIMARY KEY (device_id, ts, boot, seq, month)
) CLUSTERED INTO 4 SHARDS PARTITIONED BY (month) WITH (number_of_replicas = '0-1', column_policy = 'strict')
