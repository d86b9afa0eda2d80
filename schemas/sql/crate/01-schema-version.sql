-- The versions of these tables and views that were applied, each with the isobar that did it.
CREATE TABLE IF NOT EXISTS {schema}.schema_version (
  version INTEGER NOT NULL,
  isobar TEXT NOT NULL,
  applied_at TIMESTAMP WITH TIME ZONE NOT NULL,
  PRIMARY KEY (version)
) CLUSTERED INTO 1 SHARDS WITH (number_of_replicas = '0-1', column_policy = 'strict')
