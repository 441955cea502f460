-- What each operator is there for. None, from before there were duties: an administrator.
ALTER TABLE portal.users
    ADD COLUMN duty text CHECK (duty IN ('administrator', 'sales', 'hotline'));
UPDATE portal.users SET duty = 'administrator' WHERE role = 'operator';

-- An operator's account can be closed: who handed out a code stays in the access log, by name.
ALTER TABLE portal.enrolments DROP CONSTRAINT enrolments_opened_by_fkey;
