-- From schema version 2 to 3: exceptions of a user, and what a login had
-- proven before its second factor.

-- Rare things about one user that a login has to know: see engine.User.Aside.
ALTER TABLE users ADD COLUMN aside BLOB;

-- Bit 0: the user's first factor was proven by who began the challenge. Bit 1:
-- a bypass approved it.
ALTER TABLE challenges ADD COLUMN flags INTEGER NOT NULL DEFAULT 0;
