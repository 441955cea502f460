-- What came beside a raw body, so that a refused event can be looked at again: its id, type and
-- headers as JSON. Empty where the body could be read.
ALTER TABLE inbox ADD COLUMN envelope text NOT NULL DEFAULT '';
