-- From schema version 9 to 10: who else has a generator with the same secret.
CREATE INDEX tokens_secret ON tokens (fingerprint);
