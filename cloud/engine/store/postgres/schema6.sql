-- From schema version 5 to 6: who else has a generator with the same secret.
CREATE INDEX tokens_secret ON tokens (fingerprint);
