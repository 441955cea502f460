-- When somebody else last issued a user's password: an operator whose password another has known
-- lately is no second pair of eyes (services/portal/rules/operators.py).

ALTER TABLE portal.users ADD COLUMN password_issued_at timestamptz;
