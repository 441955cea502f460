-- Small chunks of one pack share a frame, which is compressed and sealed as one
-- (docs/decisions/0067). "offset" and length are the frame's in its object, start and size the
-- chunk's in the frame's content, of which there are frame_size bytes. 0: a chunk that was sealed
-- alone, by its own name, as all were before.
ALTER TABLE catalogue.chunks
    ADD COLUMN start integer NOT NULL DEFAULT 0,
    ADD COLUMN frame_size integer NOT NULL DEFAULT 0;
