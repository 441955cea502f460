-- How people put names in order: f2 before f10, é beside e (docs/decisions/0063). No index uses it,
-- so another version of ICU changes the order of a page and nothing else.
CREATE COLLATION catalogue.natural_order (provider = icu, locale = 'und-u-kn-true');

-- A name as text to be put in order; what is no UTF-8 by its escapes. Only names that aren't plain
-- ASCII come here.
CREATE FUNCTION catalogue.ordered_name(name bytea) RETURNS text
    LANGUAGE plpgsql IMMUTABLE STRICT AS $$
BEGIN
    RETURN convert_from(name, 'UTF8');
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN encode(name, 'escape');
END
$$;

GRANT EXECUTE ON FUNCTION catalogue.ordered_name(bytea) TO coffre_portal;
