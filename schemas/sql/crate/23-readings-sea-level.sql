-- The pressure reduced to sea level with the standard atmosphere (BMP180 datasheet 3.7), where the altitude is known. The temperature of a room
-- is not the air's, so it is not used.
CREATE VIEW {schema}.readings_sea_level AS
SELECT device_id, ts, boot, seq, temperature_c, pressure_hpa, altitude_m, site, room,
  pressure_hpa / power(1 - altitude_m / 44330, 5.255) AS pressure_sea_level_hpa
FROM {schema}.readings
WHERE altitude_m < 44330
