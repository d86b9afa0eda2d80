-- The versions of these tables and views that were applied, each with the isobar that did it.
CREATE TABLE IF NOT EXISTS {schema}.schema_version (
  version integer NOT NULL,
  isobar text NOT NULL,
  applied_at timestamptz NOT NULL,
  PRIMARY KEY (version)
)
