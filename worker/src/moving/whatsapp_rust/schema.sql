-- The tables of whatsapp-rust's SQLite store, in the order of columns of its version 0.7. The
-- migrations that made them are listed so that it takes them for done.
CREATE TABLE __diesel_schema_migrations (
  version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE device (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, lid TEXT NOT NULL, pn TEXT NOT NULL,
  registration_id INTEGER NOT NULL, noise_key BLOB NOT NULL, identity_key BLOB NOT NULL,
  signed_pre_key BLOB NOT NULL, signed_pre_key_id INTEGER NOT NULL,
  signed_pre_key_signature BLOB NOT NULL, adv_secret_key BLOB NOT NULL, account BLOB,
  push_name TEXT NOT NULL DEFAULT '', app_version_primary INTEGER NOT NULL DEFAULT 0,
  app_version_secondary INTEGER NOT NULL DEFAULT 0, app_version_tertiary BIGINT NOT NULL DEFAULT 0,
  app_version_last_fetched_ms BIGINT NOT NULL DEFAULT 0, edge_routing_info BLOB, props_hash TEXT,
  next_pre_key_id INTEGER NOT NULL DEFAULT 0, nct_salt BLOB,
  server_has_prekeys BOOLEAN NOT NULL DEFAULT 0, server_cert_chain BLOB,
  login_counter INTEGER NOT NULL DEFAULT 0, first_unupload_pre_key_id INTEGER NOT NULL DEFAULT 0,
  lid_migrated BOOLEAN NOT NULL DEFAULT 0, last_signed_pre_key_rotation_ms BIGINT NOT NULL DEFAULT 0,
  read_receipts_disabled BOOLEAN NOT NULL DEFAULT 0
);
CREATE TABLE prekeys (
  id INTEGER NOT NULL, key BLOB NOT NULL, uploaded BOOLEAN NOT NULL DEFAULT 0,
  device_id INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (id, device_id)
);
CREATE TABLE signed_prekeys (
  id INTEGER NOT NULL, record BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (id, device_id)
);
CREATE TABLE sessions (
  address TEXT NOT NULL, record BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (address, device_id)
);
CREATE TABLE identities (
  address TEXT NOT NULL, key BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (address, device_id)
);
CREATE TABLE sender_keys (
  address TEXT NOT NULL, record BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (address, device_id)
);
CREATE TABLE sender_key_devices (
  group_jid TEXT NOT NULL, device_jid TEXT NOT NULL, has_key INTEGER NOT NULL DEFAULT 0,
  device_id INTEGER NOT NULL DEFAULT 1, updated_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (group_jid, device_jid, device_id)
);
CREATE TABLE app_state_keys (
  key_id BLOB NOT NULL, key_data BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (key_id, device_id)
);
CREATE TABLE app_state_versions (
  name TEXT NOT NULL, state_data BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (name, device_id)
);
CREATE TABLE app_state_mutation_macs (
  name TEXT NOT NULL, version BIGINT NOT NULL, index_mac BLOB NOT NULL, value_mac BLOB NOT NULL,
  device_id INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (name, index_mac, device_id)
);
CREATE TABLE lid_pn_mapping (
  lid TEXT NOT NULL, phone_number TEXT NOT NULL, created_at BIGINT NOT NULL,
  learning_source TEXT NOT NULL, updated_at BIGINT NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (lid, device_id)
);
CREATE TABLE tc_tokens (
  jid TEXT NOT NULL, token BLOB NOT NULL, token_timestamp BIGINT NOT NULL, sender_timestamp BIGINT,
  device_id INTEGER NOT NULL DEFAULT 1, updated_at BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (jid, device_id)
);
CREATE TABLE msg_secrets (
  chat TEXT NOT NULL, sender TEXT NOT NULL, msg_id TEXT NOT NULL, secret BLOB NOT NULL,
  device_id INTEGER NOT NULL DEFAULT 1, created_at BIGINT NOT NULL DEFAULT 0,
  expires_at BIGINT NOT NULL DEFAULT 0, message_ts BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (chat, sender, msg_id, device_id)
);
CREATE TABLE device_registry (
  user_id TEXT NOT NULL, devices_json TEXT NOT NULL, timestamp INTEGER NOT NULL, phash TEXT,
  device_id INTEGER NOT NULL DEFAULT 1, updated_at INTEGER NOT NULL, raw_id INTEGER,
  PRIMARY KEY (user_id, device_id)
);
CREATE TABLE base_keys (
  address TEXT NOT NULL, message_id TEXT NOT NULL, base_key BLOB NOT NULL,
  device_id INTEGER NOT NULL DEFAULT 1, created_at INTEGER NOT NULL,
  PRIMARY KEY (address, message_id, device_id)
);
CREATE TABLE group_metadata (
  group_jid TEXT NOT NULL, info BLOB NOT NULL, device_id INTEGER NOT NULL DEFAULT 1,
  updated_at BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (group_jid, device_id)
);
CREATE TABLE sent_messages (
  chat_jid TEXT NOT NULL, message_id TEXT NOT NULL, payload BLOB NOT NULL,
  device_id INTEGER NOT NULL DEFAULT 1, created_at BIGINT NOT NULL,
  PRIMARY KEY (chat_jid, message_id, device_id)
);
CREATE TABLE pending_inbound_messages (
  chat TEXT NOT NULL, sender TEXT NOT NULL, id TEXT NOT NULL, message BLOB NOT NULL,
  device_id INTEGER NOT NULL DEFAULT 1, inserted_at BIGINT NOT NULL,
  PRIMARY KEY (chat, sender, id, device_id)
);
INSERT INTO __diesel_schema_migrations (version) VALUES
  ('20250814035031'),
  ('202509230322320000'),
  ('20251204000000'),
  ('20251211000000'),
  ('20251224000000'),
  ('20260205000000'),
  ('20260212000000'),
  ('20260312000000'),
  ('20260315000000'),
  ('20260323000000'),
  ('20260326000000'),
  ('20260331000000'),
  ('20260406171140'),
  ('20260426000000'),
  ('20260513000000'),
  ('20260528000000'),
  ('20260531000000'),
  ('20260601000000'),
  ('20260610000000'),
  ('20260626000000'),
  ('20260702000000'),
  ('20260703000000'),
  ('20260703000001');
