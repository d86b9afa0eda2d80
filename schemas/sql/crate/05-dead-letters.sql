-- What cannot be stored, with its bytes (base64) and the reason. id is a hash of topic and payload, so a repeat is one row and counts in times.
-- at and reason are those of the newest time; (gateway, delivery) names its inbox entry. seqs is JSON: [[boot, from, to], ...].
-- A value of an indexed TEXT column ends at 32,766 bytes; the long ones are not indexed.
CREATE TABLE IF NOT EXISTS {schema}.dead_letters (
  id TEXT NOT NULL,
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  times INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  topic TEXT NOT NULL,
  client_id TEXT NOT NULL,
  stage TEXT NOT NULL,
  code TEXT NOT NULL,
  reason TEXT NOT NULL INDEX OFF STORAGE WITH (columnstore = false),
  readings INTEGER NOT NULL,
  seqs TEXT NOT NULL INDEX OFF STORAGE WITH (columnstore = false),
  payload TEXT NOT NULL INDEX OFF STORAGE WITH (columnstore = false),
  state TEXT NOT NULL,
  gateway TEXT NOT NULL,
  delivery BIGINT NOT NULL,
  PRIMARY KEY (id)
) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')
