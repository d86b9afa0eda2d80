-- Inserts readings row by row as far as it must: one that the table refuses does not fail its neighbours, and has its reason.
-- Returns the rows that were not written, each by its delivery and seq: with SQLSTATE and message when it was refused, without when the table
-- has its key already or a trigger dropped it (then its neighbours may stand there too). And one row without a delivery: how many were written.
-- Errors that are not about a row (no table, no disk, no right) fail the whole statement.
CREATE OR REPLACE FUNCTION {schema}.insert_readings (
  device_id text[], ts timestamptz[], boot bigint[], seq bigint[], received_at timestamptz[], temperature_c double precision[], pressure_hpa double precision[],
  quality integer[], flags integer[], site text[], room text[], altitude_m double precision[], gateway text[], delivery bigint[]
) RETURNS TABLE (of_delivery bigint, of_seq bigint, code text, reason text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  rows constant integer := cardinality(insert_readings.device_id);
  step constant integer := 16; -- a failure costs the single inserts of so many rows, and each step a subtransaction
  upto integer;
  here integer;
  written bigint := 0;
BEGIN
  FOR start IN 1 .. rows BY step LOOP
    upto := least(start + step - 1, rows);
    BEGIN
      INSERT INTO {schema}.readings (device_id, ts, boot, seq, received_at, temperature_c, pressure_hpa, quality, flags, site, room, altitude_m, gateway, delivery)
      SELECT insert_readings.device_id[n], insert_readings.ts[n], insert_readings.boot[n], insert_readings.seq[n], insert_readings.received_at[n],
        insert_readings.temperature_c[n], insert_readings.pressure_hpa[n], insert_readings.quality[n], insert_readings.flags[n], insert_readings.site[n],
        insert_readings.room[n], insert_readings.altitude_m[n], insert_readings.gateway[n], insert_readings.delivery[n]
      FROM generate_series(start, upto) AS n
      ON CONFLICT (device_id, ts, boot, seq) DO NOTHING;
      GET DIAGNOSTICS here = ROW_COUNT;
      IF here = upto - start + 1 THEN
        written := written + here;
      ELSE
        RETURN QUERY SELECT insert_readings.delivery[n], insert_readings.seq[n], NULL::text, NULL::text FROM generate_series(start, upto) AS n;
      END IF;
    EXCEPTION WHEN data_exception OR integrity_constraint_violation OR plpgsql_error THEN
      FOR n IN start .. upto LOOP
        of_delivery := insert_readings.delivery[n];
        of_seq := insert_readings.seq[n];
        BEGIN
          INSERT INTO {schema}.readings (device_id, ts, boot, seq, received_at, temperature_c, pressure_hpa, quality, flags, site, room, altitude_m, gateway, delivery)
          VALUES (insert_readings.device_id[n], insert_readings.ts[n], insert_readings.boot[n], insert_readings.seq[n], insert_readings.received_at[n],
            insert_readings.temperature_c[n], insert_readings.pressure_hpa[n], insert_readings.quality[n], insert_readings.flags[n], insert_readings.site[n],
            insert_readings.room[n], insert_readings.altitude_m[n], insert_readings.gateway[n], insert_readings.delivery[n])
          ON CONFLICT (device_id, ts, boot, seq) DO NOTHING;
          IF FOUND THEN
            written := written + 1;
            CONTINUE;
          END IF;
          code := NULL;
          reason := NULL;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR plpgsql_error THEN
          code := SQLSTATE;
          reason := SQLERRM;
        END;
        RETURN NEXT;
      END LOOP;
    END;
  END LOOP;
  RETURN QUERY SELECT NULL::bigint, written, NULL::text, NULL::text;
END $$
