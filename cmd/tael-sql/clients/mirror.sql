-- The gateway's tables through postgres_fdw in schema far, their copies in public.
CREATE EXTENSION postgres_fdw;
CREATE SERVER tael FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '@host@', port '@port@', dbname 'tael', sslmode 'disable');
CREATE USER MAPPING FOR tael SERVER tael OPTIONS (user 'tael', password_required 'false');
CREATE SCHEMA far;
IMPORT FOREIGN SCHEMA public FROM SERVER tael INTO far OPTIONS (import_default 'true');
DO $$
DECLARE t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['spans', 'logs', 'metrics', 'comments', 'llm_prices'] LOOP
		EXECUTE format('CREATE TABLE public.%1$I (LIKE far.%1$I INCLUDING DEFAULTS)', t);
		EXECUTE format('INSERT INTO public.%1$I SELECT * FROM far.%1$I', t);
	END LOOP;
END $$;
ALTER TABLE spans ADD PRIMARY KEY (trace_id, span_id);
ALTER TABLE comments ADD PRIMARY KEY (id);
ALTER TABLE llm_prices ADD PRIMARY KEY (provider, model_pattern, valid_from);
ANALYZE spans, logs, metrics, comments, llm_prices;
