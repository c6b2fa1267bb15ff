CREATE TABLE known (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, address TEXT NOT NULL, key TEXT NOT NULL, joined INTEGER NOT NULL, role TEXT NOT NULL,
    epoch TEXT NOT NULL DEFAULT '', cursor INTEGER NOT NULL DEFAULT 0
  , ticket TEXT NOT NULL DEFAULT '', base_seq INTEGER NOT NULL DEFAULT 0, base_hash TEXT NOT NULL DEFAULT '', tip_seq INTEGER NOT NULL DEFAULT 0, tip_hash TEXT NOT NULL DEFAULT '', sum INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE outbox (
    known TEXT NOT NULL, mid TEXT NOT NULL, text TEXT NOT NULL, sum INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (known, mid)
  ) STRICT, WITHOUT ROWID;
CREATE TABLE pin (address TEXT PRIMARY KEY, key TEXT NOT NULL, sum INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;
CREATE TABLE folder (owner TEXT NOT NULL, generation INTEGER NOT NULL) STRICT;
CREATE TABLE waiting (
      known TEXT PRIMARY KEY, sum INTEGER NOT NULL, queued INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
INSERT INTO known (id, name, address, key, joined, role, epoch, cursor, ticket, base_seq, base_hash, tip_seq, tip_hash, sum)
  VALUES ('14d6cdd4-661f-8026-a6be-7f82c31b4f7e', 'Lab', '127.0.0.1:35129', 'qbgZDipuQS34hBAAC0zsmwz_a7ZEZ4DKRMIBJV9i8gI', 1, 'member', 'c89b8b0d-5317-4215-8eff-e6c0cdc1debc', 9, 'kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk', 5, 'hhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhhh', 9, 'ttttttttttttttttttttttttttttttttttttttttttt', 2729782181);
INSERT INTO outbox (known, mid, text, sum)
  VALUES ('14d6cdd4-661f-8026-a6be-7f82c31b4f7e', '019f9d2e-4b35-7000-8000-000000000001', 'waits in the outbox', 3895291907);
INSERT INTO pin (address, key, sum)
  VALUES ('127.0.0.1:5555', 'qbgZDipuQS34hBAAC0zsmwz_a7ZEZ4DKRMIBJV9i8gI', 4202952114);
INSERT INTO folder (owner, generation)
  VALUES ('6b5f35a6-6bb5-8a21-b1a5-2f0f6a3d4c11', 4);
INSERT INTO waiting (known, sum, queued)
  VALUES ('14d6cdd4-661f-8026-a6be-7f82c31b4f7e', 3895291907, 1);
PRAGMA user_version = 3;
