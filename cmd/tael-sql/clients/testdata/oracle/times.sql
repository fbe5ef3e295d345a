SELECT '2024-02-29'::date, '2024-02-29 12:34:56.789'::timestamp, '2024-02-29 12:34:56+02'::timestamptz, '12:34'::time, '12:34+02'::timetz, '1 day 2 hours'::interval
SELECT '2024-02-30'::date
SELECT 'x'::timestamptz
SELECT '25:00'::time
SELECT '2024-01-31'::date + 1, '2024-01-31'::date - '2024-01-01'::date, '2024-01-31'::date + interval '1 month', '2024-03-31'::timestamp - interval '1 month', '2024-01-01'::date + '12:00'::time
SELECT '2024-03-01'::timestamp - '2024-02-01 12:00'::timestamp, '2024-03-01 00:00+00'::timestamptz - interval '1 hour', interval '1 day' * 1.5, interval '1 hour' / 4, - interval '1 day 2 hours'
SELECT interval '1 year 2 months 3 days 04:05:06.789', interval '-1 day +2 hours', interval 'P1Y2M3DT4H5M6S', interval '90 minutes', interval '1.5 hours', interval '3' day, interval '1-2' year to month
SELECT interval '1 month' = interval '30 days', interval '1 day' < interval '25 hours', justify_days(interval '35 days'), justify_hours(interval '27 hours'), justify_interval(interval '1 month -1 hour')
SELECT extract(year FROM timestamp '2024-02-29 12:34:56.789'), extract(epoch FROM timestamptz '2024-02-29 12:34:56.789+00'), extract(dow FROM date '2024-02-29'), extract(isodow FROM date '2024-02-25'), extract(doy FROM date '2024-12-31'), extract(week FROM date '2024-12-31'), extract(quarter FROM date '2024-05-01'), extract(milliseconds FROM time '12:34:56.789')
SELECT date_part('hour', timestamp '2024-02-29 12:34:56'), date_part('epoch', interval '1 day 1 second'), extract(day FROM interval '40 days 2 hours'), extract(century FROM date '2001-01-01'), extract(timezone FROM timestamptz '2024-01-01 00:00+00')
SELECT extract(nosuch FROM now())
SELECT date_trunc('hour', timestamptz '2024-02-29 12:34:56+00'), date_trunc('week', timestamp '2024-02-29 12:34:56'), date_trunc('quarter', date '2024-05-15'), date_trunc('day', timestamptz '2024-02-29 23:30+00', 'Europe/Berlin'), date_trunc('minute', interval '1 hour 2 minutes 3 seconds')
SELECT date_trunc('nosuch', now())
SELECT date_bin('15 minutes', timestamptz '2024-02-29 12:34:56+00', timestamptz '2001-01-01 00:00+00'), date_bin('1 hour', timestamp '2024-01-01 00:59', timestamp '2024-01-01 00:30')
SELECT age(timestamp '2024-03-01', timestamp '2023-01-31'), age(timestamp '2024-01-01', timestamp '2024-02-29 12:00'), make_date(2024, 2, 29), make_time(1, 2, 3.5), make_timestamp(2024, 2, 29, 1, 2, 3.5), make_interval(days => 1, hours => 2)
SELECT make_timestamptz(2024, 2, 29, 1, 2, 3, 'UTC'), to_timestamp(1709210096.789), to_timestamp('2024-02-29 12:34', 'YYYY-MM-DD HH24:MI'), to_date('29 Feb 2024', 'DD Mon YYYY'), timezone('UTC', timestamp '2024-01-01')
SELECT timestamptz '2024-07-01 12:00+00' AT TIME ZONE 'America/New_York', timestamp '2024-07-01 12:00' AT TIME ZONE 'Europe/Berlin', timestamptz '2024-07-01 12:00+00' AT TIME ZONE interval '-05:00', timestamp '2024-07-01 12:00' AT TIME ZONE '+02'
SELECT timestamp '2024-01-01' AT TIME ZONE 'Nowhere/At_All'
SELECT to_char(timestamp '2024-02-29 15:04:05.678', 'YYYY-MM-DD HH24:MI:SS.MS'), to_char(timestamp '2024-02-29 15:04:05', 'Day, DD Mon YYYY HH12:MI AM'), to_char(date '2024-02-29', 'FMMonth FMDDth IW Q J'), to_char(interval '26 hours', 'HH24:MI')
SELECT 'infinity'::timestamptz, '-infinity'::date, 'epoch'::timestamp, isfinite('infinity'::date), 'infinity'::timestamptz > now(), 'allballs'::time
SELECT now() = now(), now() = current_timestamp, statement_timestamp() >= now(), clock_timestamp() >= now(), current_date = now()::date, localtimestamp = now()::timestamp
SELECT '2024-01-01'::date = '2024-01-01 00:00'::timestamp, '2024-01-01'::date < '2024-01-01 00:00:01+00'::timestamptz, '2024-01-01'::timestamptz::date, '2024-01-01 12:00'::timestamp::time, '12:00'::time + interval '13 hours', '12:00'::time - '11:00'::time
SELECT d::date FROM generate_series('2024-02-27'::timestamp, '2024-03-02', '1 day') d
SELECT g FROM generate_series('2024-01-01 00:00+00'::timestamptz, '2024-01-01 01:00+00', interval '20 minutes') g
SELECT generate_series(1, 10, 4), generate_series(1, 2)
SELECT g FROM generate_series(3, 1, -1) g
SELECT g FROM generate_series(1, 3, 0) g
SELECT '2024-01-01 00:00:00.1234567'::timestamptz, '2024-01-01T00:00:00.123456789Z'::timestamptz, '20240101'::date, 'Jan 2 2024'::date, '1/2/2024'::date, '2024-01-01 BC'::date, '2024.001'::date
SELECT timestamp(0) '2024-01-01 00:00:00.6', '12:00:00.55'::time(1), '1.55 seconds'::interval(1), now()::timestamptz(3) IS NOT NULL
