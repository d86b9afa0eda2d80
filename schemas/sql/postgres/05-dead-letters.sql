-- What cannot be stored, with its bytes (base64) and the reason. id is a hash of topic and payload, so a repeat is one row and counts in times.
-- at and reason are those of the newest time; (gateway, delivery) names its inbox entry. seqs is JSON: [[boot, from, to], ...].
CREATE TABLE IF NOT EXISTS {schema}.dead_letters (
  id text NOT NULL,
  at timestamptz NOT NULL,
  times integer NOT NULL,
  device_id text NOT NULL,
  topic text NOT NULL,
  client_id text NOT NULL,
  stage text NOT NULL,
  code text NOT NULL,
  reason text NOT NULL,
  readings integer NOT NULL,
  seqs text NOT NULL,
  payload text NOT NULL,
  state text NOT NULL,
  gateway text NOT NULL,
  delivery bigint NOT NULL,
  PRIMARY KEY (id)
)
