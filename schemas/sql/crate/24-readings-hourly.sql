-- Count, mean, least and greatest values of each device and hour.
CREATE VIEW {schema}.readings_hourly AS
SELECT device_id, date_trunc('hour', ts) AS hour, count(*) AS readings,
  avg(temperature_c) AS temperature_avg_c, min(temperature_c) AS temperature_min_c, max(temperature_c) AS temperature_max_c,
  avg(pressure_hpa) AS pressure_avg_hpa, min(pressure_hpa) AS pressure_min_hpa, max(pressure_hpa) AS pressure_max_hpa
FROM {schema}.readings
GROUP BY device_id, date_trunc('hour', ts)
