-- A store of schema version 1, dumped: two synthetic users as an apply made them. Its key is version1.key.
PRAGMA application_id=1296450117; PRAGMA user_version=1;
BEGIN TRANSACTION;
CREATE TABLE apps (
  name     TEXT PRIMARY KEY,
  role     TEXT NOT NULL,
  digest   BLOB NOT NULL,
  created  INTEGER NOT NULL,
  until    INTEGER NOT NULL,
  disabled INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "apps" VALUES('vpn','shim',X'849AD2FF269807D3720357B5C9B580C8B79E1E832F570B9BD3CB4EE67FE07DD1',1795324384806736606,0,0);
CREATE TABLE attempts (
  challenge  TEXT NOT NULL,
  answer_key TEXT NOT NULL,
  state      TEXT NOT NULL,
  reason     TEXT NOT NULL,
  tries      INTEGER NOT NULL,
  at         INTEGER NOT NULL,
  PRIMARY KEY (challenge, answer_key)
) WITHOUT ROWID;
CREATE TABLE audit (
  seq     INTEGER PRIMARY KEY AUTOINCREMENT,
  time    INTEGER NOT NULL,
  node    TEXT NOT NULL,
  actor   TEXT NOT NULL,
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL,
  reason  TEXT NOT NULL
);
INSERT INTO "audit" VALUES(1,1795324384635851396,'local','uid 0','engine.init','60efafcb-19a9-424a-ae92-bfea3b4ed8e1','domains=contoso.example','engine init');
INSERT INTO "audit" VALUES(2,1795324384770999726,'local','operator','directory.write','01a201ac-1603-71f1-a28a-df9fc230cfa3','add user, add mobile, set defaultMethod','');
INSERT INTO "audit" VALUES(3,1795324384770999726,'local','operator','directory.write','01a201ac-1603-7274-a41a-6dcd49eec783','add user, add mobile, add hardwareOath, set defaultMethod','');
INSERT INTO "audit" VALUES(4,1795324384806736606,'local','operator','app.add','vpn','role=shim','test');
CREATE TABLE challenges (
  id          TEXT PRIMARY KEY,
  request_key TEXT,                 -- NULL: not repeatable
  user        TEXT NOT NULL,
  method      TEXT NOT NULL,
  state       TEXT NOT NULL,
  reason      TEXT NOT NULL,
  prompt      TEXT NOT NULL,
  app         TEXT NOT NULL,
  place       TEXT NOT NULL,
  tries       INTEGER NOT NULL,
  sent        BLOB,                 -- HMAC of a sent code
  context     BLOB,
  created     INTEGER NOT NULL,
  expires     INTEGER NOT NULL,
  decided     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE failures (
  user  TEXT NOT NULL,
  way   TEXT NOT NULL,
  place TEXT NOT NULL,
  count INTEGER NOT NULL,
  last  INTEGER NOT NULL,
  PRIMARY KEY (user, way, place)
) WITHOUT ROWID;
CREATE TABLE last_sent (
  user      TEXT NOT NULL,
  place     TEXT NOT NULL,
  challenge TEXT NOT NULL,
  PRIMARY KEY (user, place)
) WITHOUT ROWID;
CREATE TABLE meta (
  name  TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('code-key',X'01A97AC1C34D9DA20C013AFFF01521CCCCC6E1315DF0CBD4B30C4D9A5107EF2D726CBE1DBF0844A98B00957D2B3A79D9939D1EDF2851F2AAA9EEAE99F207FF6DFB');
INSERT INTO "meta" VALUES('engine',X'7B22666F726D6174223A312C226B696E64223A22656E67696E65222C22696E7374616E6365223A2236306566616663622D313961392D343234612D616539322D626665613362346564386531222C22646F6D61696E73223A5B22636F6E746F736F2E6578616D706C65225D2C2263726561746564223A22323032362D31312D32325430353A31333A30342E3633353835313339365A227D');
INSERT INTO "meta" VALUES('lock-holder',X'6F70657261746F722C206170706C79206F66206435323932636430653832382C2070726F63657373203134343434');
CREATE TABLE names (
  space INTEGER NOT NULL,
  name  TEXT NOT NULL,
  user  TEXT NOT NULL,
  PRIMARY KEY (space, name)
) WITHOUT ROWID;
INSERT INTO "names" VALUES(0,'ada','01a201ac-1603-71f1-a28a-df9fc230cfa3');
INSERT INTO "names" VALUES(0,'ada@contoso.example','01a201ac-1603-71f1-a28a-df9fc230cfa3');
INSERT INTO "names" VALUES(0,'bob','01a201ac-1603-7274-a41a-6dcd49eec783');
INSERT INTO "names" VALUES(0,'bob@contoso.example','01a201ac-1603-7274-a41a-6dcd49eec783');
CREATE TABLE spent (
  fingerprint TEXT PRIMARY KEY,
  second      INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE tokens (
  user         TEXT NOT NULL,
  id           TEXT NOT NULL,
  method       TEXT NOT NULL,
  name         TEXT NOT NULL,
  serial       TEXT NOT NULL,
  manufacturer TEXT NOT NULL,
  model        TEXT NOT NULL,
  algorithm    TEXT NOT NULL,
  digits       INTEGER NOT NULL,
  period       INTEGER NOT NULL,
  fingerprint  TEXT NOT NULL,
  sealed       BLOB NOT NULL,
  proven       INTEGER NOT NULL,
  drift        INTEGER NOT NULL,
  last_step    INTEGER NOT NULL,
  seen_step    INTEGER NOT NULL,
  PRIMARY KEY (user, id)
) WITHOUT ROWID;
INSERT INTO "tokens" VALUES('01a201ac-1603-7274-a41a-6dcd49eec783','01a201ac-1603-7299-844e-9b5c2098fec0','hardwareOath','Synthetic T1','SYN-00001','Synthetic','T1','SHA1',6,30,'K45UVVG4BEJ2J5DH',X'01A97AC1C349F8386A5DCE61C8ACF53F70693D2978E496B3FA96AE39A73119606EA3C048EC0A4AB97CDD12EAD89BFCFFC169E5D329',0,0,0,0);
CREATE TABLE users (
  id            TEXT PRIMARY KEY,
  upn           TEXT NOT NULL,
  display_name  TEXT NOT NULL,
  aliases       TEXT NOT NULL,      -- one a line
  sid           TEXT NOT NULL,
  enabled       INTEGER NOT NULL,
  mobile        TEXT NOT NULL,
  alternate     TEXT NOT NULL,
  office        TEXT NOT NULL,
  email         TEXT NOT NULL,
  preference    TEXT NOT NULL,
  blocked_until INTEGER NOT NULL,
  password      BLOB,               -- sealed hash
  created       INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO "users" VALUES('01a201ac-1603-71f1-a28a-df9fc230cfa3','ada@contoso.example','','ada','',1,'+1 4255550100','','','','sms',0,NULL,1795324384770999726);
INSERT INTO "users" VALUES('01a201ac-1603-7274-a41a-6dcd49eec783','bob@contoso.example','','bob','',1,'+1 4255550101','','','','oath',0,NULL,1795324384770999726);
CREATE UNIQUE INDEX tokens_serial ON tokens (serial);
CREATE INDEX challenges_key ON challenges (request_key, created) WHERE request_key IS NOT NULL;
CREATE INDEX failures_last ON failures (last);
CREATE TRIGGER audit_is_kept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
CREATE TRIGGER audit_is_fixed BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;
COMMIT;
