-- One row a reading. The key's index is the only one: a second costs a third of the insert rate, and this one serves (device_id, ts) too.
-- quality is the QARTOD flag (1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing); flags are the bits of schemas/row.ts.
-- (gateway, delivery) names the inbox entry that brought the row.
CREATE TABLE IF NOT EXISTS {schema}.readings (
  device_id text NOT NULL,
  ts timestamptz NOT NULL,
  boot bigint NOT NULL,
  seq bigint NOT NULL,
  received_at timestamptz NOT NULL,
  temperature_c double precision,
  pressure_hpa double precision,
  quality integer NOT NULL,
  flags integer NOT NULL,
  site text,
  room text,
  altitude_m double precision,
  gateway text NOT NULL,
  delivery bigint NOT NULL,
  PRIMARY KEY (device_id, ts, boot, seq)
)
