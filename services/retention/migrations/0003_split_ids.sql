-- The ids of a version's chunks. ROWS is why this is a function: the planner takes a
-- generate_series of unknown length for a thousand rows, and hashes for a thousandfold.
CREATE FUNCTION split_ids(ids bytea) RETURNS SETOF bytea
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 2 AS $$
BEGIN
    FOR at IN 1 .. octet_length(ids) BY 32 LOOP
        RETURN NEXT substr(ids, at, 32);
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION split_ids(bytea) TO coffre_retention;
