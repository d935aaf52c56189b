-- The tables of whatsmeow at version 14 of its schema, as far as it expects them to be there. A newer
-- whatsmeow brings them up to its own version when it opens the file.
CREATE TABLE whatsmeow_version (version INTEGER, compat INTEGER);
INSERT INTO whatsmeow_version VALUES (14, 8);
CREATE TABLE whatsmeow_device (
  jid TEXT PRIMARY KEY, lid TEXT, facebook_uuid uuid,
  registration_id BIGINT NOT NULL,
  noise_key bytea NOT NULL, identity_key bytea NOT NULL,
  signed_pre_key bytea NOT NULL, signed_pre_key_id INTEGER NOT NULL, signed_pre_key_sig bytea NOT NULL,
  adv_key bytea NOT NULL, adv_details bytea NOT NULL, adv_account_sig bytea NOT NULL,
  adv_account_sig_key bytea NOT NULL, adv_device_sig bytea NOT NULL,
  platform TEXT NOT NULL DEFAULT '', business_name TEXT NOT NULL DEFAULT '',
  push_name TEXT NOT NULL DEFAULT '', lid_migration_ts BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE whatsmeow_identity_keys (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  their_id TEXT, identity bytea NOT NULL, PRIMARY KEY (our_jid, their_id)
);
CREATE TABLE whatsmeow_pre_keys (
  jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  key_id INTEGER, key bytea NOT NULL, uploaded BOOLEAN NOT NULL, PRIMARY KEY (jid, key_id)
);
CREATE TABLE whatsmeow_sessions (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  their_id TEXT, session bytea, PRIMARY KEY (our_jid, their_id)
);
CREATE TABLE whatsmeow_sender_keys (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  chat_id TEXT, sender_id TEXT, sender_key bytea NOT NULL,
  PRIMARY KEY (our_jid, chat_id, sender_id)
);
CREATE TABLE whatsmeow_app_state_sync_keys (
  jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  key_id bytea, key_data bytea NOT NULL, timestamp BIGINT NOT NULL, fingerprint bytea NOT NULL,
  PRIMARY KEY (jid, key_id)
);
CREATE TABLE whatsmeow_app_state_version (
  jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  name TEXT, version BIGINT NOT NULL, hash bytea NOT NULL, PRIMARY KEY (jid, name)
);
CREATE TABLE whatsmeow_app_state_mutation_macs (
  jid TEXT, name TEXT, version BIGINT, index_mac bytea, value_mac bytea NOT NULL,
  PRIMARY KEY (jid, name, version, index_mac),
  FOREIGN KEY (jid, name) REFERENCES whatsmeow_app_state_version(jid, name)
    ON DELETE CASCADE ON UPDATE CASCADE
);
CREATE TABLE whatsmeow_contacts (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  their_jid TEXT, first_name TEXT, full_name TEXT, push_name TEXT, business_name TEXT,
  redacted_phone TEXT, PRIMARY KEY (our_jid, their_jid)
);
CREATE TABLE whatsmeow_chat_settings (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  chat_jid TEXT, muted_until BIGINT NOT NULL DEFAULT 0, pinned BOOLEAN NOT NULL DEFAULT false,
  archived BOOLEAN NOT NULL DEFAULT false, PRIMARY KEY (our_jid, chat_jid)
);
CREATE TABLE whatsmeow_message_secrets (
  our_jid TEXT REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  chat_jid TEXT, sender_jid TEXT, message_id TEXT, key bytea NOT NULL,
  PRIMARY KEY (our_jid, chat_jid, sender_jid, message_id)
);
CREATE TABLE whatsmeow_privacy_tokens (
  our_jid TEXT, their_jid TEXT, token bytea NOT NULL, timestamp BIGINT NOT NULL,
  sender_timestamp BIGINT, PRIMARY KEY (our_jid, their_jid)
);
CREATE INDEX idx_whatsmeow_privacy_tokens_our_jid_timestamp
  ON whatsmeow_privacy_tokens (our_jid, timestamp);
CREATE TABLE whatsmeow_nct_salt (
  our_jid TEXT PRIMARY KEY REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  salt bytea NOT NULL
);
CREATE TABLE whatsmeow_lid_map (lid TEXT PRIMARY KEY, pn TEXT UNIQUE NOT NULL);
CREATE TABLE whatsmeow_event_buffer (
  our_jid TEXT NOT NULL REFERENCES whatsmeow_device(jid) ON DELETE CASCADE ON UPDATE CASCADE,
  ciphertext_hash bytea NOT NULL, plaintext bytea, server_timestamp BIGINT NOT NULL,
  insert_timestamp BIGINT NOT NULL, PRIMARY KEY (our_jid, ciphertext_hash)
);
