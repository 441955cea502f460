-- What somebody ticked, folder after folder, to take it all at once; forgotten after some days.
CREATE TABLE portal.selected (
    user_id   uuid NOT NULL REFERENCES portal.users ON DELETE CASCADE,
    place_id  uuid NOT NULL, -- made of what follows: a place is in a selection once
    tenant_id uuid NOT NULL,
    plan_id   uuid NOT NULL,
    number    integer NOT NULL,
    path      bytea NOT NULL,
    added_at  timestamptz NOT NULL,
    PRIMARY KEY (user_id, place_id)
);
CREATE INDEX selected_age ON portal.selected (added_at);
CREATE INDEX selected_of_tenant ON portal.selected (tenant_id);

GRANT SELECT, INSERT, DELETE ON portal.selected TO coffre_portal;
