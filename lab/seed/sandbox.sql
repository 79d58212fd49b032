-- A small database on the billing server, for restores and for trying things. Deterministic; one transaction.

CREATE TABLE public.notes (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL, tags text[]);
INSERT INTO public.notes (body, tags) SELECT 'Notiz ' || i, ARRAY['a', 'ü'] FROM generate_series(1, 2000) AS i;
CREATE INDEX ON public.notes USING gin (tags);
