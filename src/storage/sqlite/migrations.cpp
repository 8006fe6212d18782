#include "storage/sqlite/migrations.h"

#include <cstdio>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace kith::storage::sqlite {

namespace {

// PRAGMA application_id of our files: "Kith". file(1) shows it, and a foreign database is not taken for an empty one.
constexpr std::int64_t application_id = 0x4b697468;

// Version 1. The key of everything is the account's full bare JID: one host's data cannot be reached from another's
// name.
//  - offline: a plain table in order of arrival, so that adding is an append; AUTOINCREMENT never gives an id twice.
//  The
//    index carries the size of each stanza, so that the sum for the quota reads no stanza.
//  - roster_items.group_names: each group as LENGTH:BYTES (see roster_sql.cpp).
//  - documents: with rowid, because a document may be larger than a page.
constexpr Sql version_1 = R"sql(
  CREATE TABLE accounts (
    jid       TEXT PRIMARY KEY NOT NULL,
    domain    TEXT NOT NULL,
    localpart TEXT NOT NULL,
    created   INTEGER NOT NULL,
    disabled  INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX accounts_by_domain ON accounts (domain, localpart);

  CREATE TABLE scram_keys (
    account    TEXT NOT NULL,
    hash       INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    iterations INTEGER NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (account, hash)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE last_seen (
    account TEXT PRIMARY KEY NOT NULL,
    at      INTEGER NOT NULL,
    status  TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE roster_items (
    account        TEXT NOT NULL,
    contact        TEXT NOT NULL,
    name           TEXT NOT NULL,
    group_names    TEXT NOT NULL,
    subscription   INTEGER NOT NULL,
    pending_out    INTEGER NOT NULL,
    pending_in     INTEGER NOT NULL,
    approved       INTEGER NOT NULL,
    in_roster      INTEGER NOT NULL,
    pending_stanza TEXT NOT NULL,
    version        INTEGER NOT NULL,
    PRIMARY KEY (account, contact)
  ) STRICT;

  CREATE TABLE roster_versions (
    account TEXT PRIMARY KEY NOT NULL,
    version INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE roster_removed (
    account TEXT NOT NULL,
    contact TEXT NOT NULL,
    version INTEGER NOT NULL,
    PRIMARY KEY (account, contact)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX roster_removed_by_version ON roster_removed (account, version);

  CREATE TABLE offline (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    at      INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    stanza  TEXT NOT NULL
  ) STRICT;
  CREATE INDEX offline_by_account ON offline (account, id, bytes);

  CREATE TABLE documents (
    account  TEXT NOT NULL,
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (account, kind, name)
  ) STRICT;

  PRAGMA application_id = 0x4b697468;
  PRAGMA user_version = 1;
)sql";

// Version 2: the archive. The id is the row's own and grows with time, so that what is added comes at the end and what
// expires goes at the beginning; in both indexes it follows the columns that are named. AUTOINCREMENT remembers the
// highest id ever, of messages that have expired, too.
constexpr Sql version_2 = R"sql(
  CREATE TABLE archive (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    account  TEXT NOT NULL,
    peer     TEXT NOT NULL,
    resource TEXT NOT NULL,
    stanza   TEXT NOT NULL
  ) STRICT;
  CREATE INDEX archive_by_account ON archive (account);
  CREATE INDEX archive_by_peer ON archive (account, peer);

  PRAGMA user_version = 2;
)sql";

constexpr Sql version_3 = R"sql(
  CREATE TABLE saved_sessions (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    account TEXT NOT NULL,
    state   TEXT NOT NULL
  ) STRICT;

  PRAGMA user_version = 3;
)sql";

constexpr Sql version_4 = R"sql(
  CREATE TABLE tokens (
    account   TEXT NOT NULL,
    client    TEXT NOT NULL,
    fresh     INTEGER NOT NULL,
    mechanism TEXT NOT NULL,
    seed      TEXT NOT NULL,
    issued    INTEGER NOT NULL,
    expires   INTEGER NOT NULL,
    used      INTEGER NOT NULL,
    software  TEXT NOT NULL,
    device    TEXT NOT NULL,
    PRIMARY KEY (account, client, fresh)
  ) STRICT, WITHOUT ROWID;

  PRAGMA user_version = 4;
)sql";

// Version 5: publish-subscribe nodes. An item's number is the order of its publication; the index holds all that is
// counted, so that no payload is read for that.
constexpr Sql version_5 = R"sql(
  CREATE TABLE pubsub_nodes (
    owner  TEXT NOT NULL,
    node   TEXT NOT NULL,
    config TEXT NOT NULL,
    PRIMARY KEY (owner, node)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pubsub_people (
    owner        TEXT NOT NULL,
    node         TEXT NOT NULL,
    jid          TEXT NOT NULL,
    affiliation  TEXT NOT NULL,
    subscription TEXT NOT NULL,
    PRIMARY KEY (owner, node, jid)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE pubsub_items (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    owner   TEXT NOT NULL,
    node    TEXT NOT NULL,
    item    TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    payload TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX pubsub_items_by_id ON pubsub_items (owner, node, item);
  CREATE INDEX pubsub_items_by_number ON pubsub_items (owner, node, number, bytes);

  PRAGMA user_version = 5;
)sql";

// Version 6: archived messages are found by what a later one says of them (a retraction). What was archived before has
// no reference.
constexpr Sql version_6 = R"sql(
  ALTER TABLE archive ADD COLUMN reference INTEGER;
  CREATE INDEX archive_by_reference ON archive (reference) WHERE reference IS NOT NULL;

  PRAGMA user_version = 6;
)sql";

// Version 7. Rooms (XEP-0045). What is said in them lies in the archive, under the room's address.
constexpr Sql version_7 = R"sql(
  CREATE TABLE rooms (
    room    TEXT PRIMARY KEY NOT NULL,
    domain  TEXT NOT NULL,
    listed  INTEGER NOT NULL,
    name    TEXT NOT NULL,
    config  TEXT NOT NULL,
    subject TEXT NOT NULL
  ) STRICT;
  CREATE INDEX rooms_listed ON rooms (domain, room) WHERE listed = 1;

  CREATE TABLE room_people (
    room        TEXT NOT NULL,
    jid         TEXT NOT NULL,
    affiliation TEXT NOT NULL,
    reason      TEXT NOT NULL,
    PRIMARY KEY (room, jid)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX room_people_by_jid ON room_people (jid);

  PRAGMA user_version = 7;
)sql";

// Version 8: what went to push services.
constexpr Sql version_8 = R"sql(
  CREATE TABLE push_log (
    account TEXT NOT NULL,
    hour    INTEGER NOT NULL,
    service TEXT NOT NULL,
    node    TEXT NOT NULL,
    sent    INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    PRIMARY KEY (account, hour, service, node)
  ) STRICT;
  CREATE INDEX push_log_by_hour ON push_log (hour);

  PRAGMA user_version = 8;
)sql";

// Version 9. Messages on their way to other servers, and the servers that this one does not talk to.
constexpr Sql version_9 = R"sql(
  CREATE TABLE outbound (
    remote  TEXT NOT NULL,
    local   TEXT NOT NULL,
    id      INTEGER NOT NULL,
    account TEXT NOT NULL,
    at      INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    stanza  TEXT NOT NULL,
    PRIMARY KEY (remote, local, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX outbound_by_account ON outbound (account);

  CREATE TABLE blocked_servers (
    domain TEXT PRIMARY KEY NOT NULL,
    at     INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  PRAGMA user_version = 9;
)sql";

// Version 10: an archived message is an append to one table, and the indexes are tables that are extended for many at a
// time (ArchiveIndex). The highest id ever is that of a row, or one of the marks.
// COMPAT(SQLite 3.40, drop with Debian 12): its integrity_check takes columns of a table WITHOUT ROWID for NULL if
// those of the key do not come first.
constexpr Sql version_10 = R"sql(
  CREATE TABLE archive_rows (
    id        INTEGER PRIMARY KEY,
    account   TEXT NOT NULL,
    peer      TEXT NOT NULL,
    resource  TEXT NOT NULL,
    reference INTEGER,
    stanza    TEXT NOT NULL
  ) STRICT;
  INSERT INTO archive_rows SELECT id, account, peer, resource, reference, stanza FROM archive ORDER BY id;

  CREATE TABLE archive_marks (
    indexed INTEGER NOT NULL,
    removed INTEGER NOT NULL
  ) STRICT;
  INSERT INTO archive_marks SELECT max(seq), max(seq) FROM (
    SELECT 0 AS seq UNION ALL SELECT seq FROM sqlite_sequence WHERE name = 'archive');

  DROP TABLE archive;
  ALTER TABLE archive_rows RENAME TO archive;

  CREATE TABLE archive_index (
    account TEXT NOT NULL,
    id      INTEGER NOT NULL,
    peer    TEXT NOT NULL,
    PRIMARY KEY (account, id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO archive_index SELECT account, id, peer FROM archive ORDER BY account, id;
  CREATE INDEX archive_index_by_peer ON archive_index (account, peer, id);

  CREATE TABLE archive_references (
    reference INTEGER NOT NULL,
    id        INTEGER NOT NULL,
    PRIMARY KEY (reference, id)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO archive_references SELECT reference, id FROM archive WHERE reference IS NOT NULL ORDER BY reference, id;

  CREATE TRIGGER archive_removed AFTER DELETE ON archive BEGIN
    DELETE FROM archive_index WHERE account = OLD.account AND id = OLD.id;
    DELETE FROM archive_references WHERE reference = OLD.reference AND id = OLD.id;
    UPDATE archive_marks SET removed = OLD.id WHERE removed < OLD.id;
  END;
  CREATE TRIGGER archive_rewritten AFTER UPDATE OF reference ON archive BEGIN
    DELETE FROM archive_references WHERE reference = OLD.reference AND id = OLD.id;
  END;

  PRAGMA user_version = 10;
)sql";

// Version 11. Who published an item: the owner, if it is empty, as of all from before.
constexpr Sql version_11 = R"sql(
  ALTER TABLE pubsub_items ADD COLUMN publisher TEXT NOT NULL DEFAULT '';

  PRAGMA user_version = 11;
)sql";

// Version 12. What was uploaded; the files themselves lie beside the database.
constexpr Sql version_12 = R"sql(
  CREATE TABLE uploads (
    id      TEXT NOT NULL PRIMARY KEY,
    account TEXT NOT NULL,
    name    TEXT NOT NULL,
    type    TEXT NOT NULL,
    purpose TEXT NOT NULL,
    bytes   INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    stored  INTEGER NOT NULL,
    expire_before INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_by_account ON uploads (account, created);
  CREATE INDEX uploads_by_end ON uploads (expires);

  PRAGMA user_version = 12;
)sql";

constexpr Migration all_migrations[] = {
    {.version = 1, .script = version_1},   {.version = 2, .script = version_2},   {.version = 3, .script = version_3},
    {.version = 4, .script = version_4},   {.version = 5, .script = version_5},   {.version = 6, .script = version_6},
    {.version = 7, .script = version_7},   {.version = 8, .script = version_8},   {.version = 9, .script = version_9},
    {.version = 10, .script = version_10}, {.version = 11, .script = version_11}, {.version = 12, .script = version_12},
};

std::int64_t asked(Db& db, Sql pragma, const std::string& path) {
  const Result<std::int64_t> answer = db.number(pragma);
  if (!answer) throw Unusable("cannot read the database " + path + ": " + db.error_words());
  return *answer;
}

// Copies the whole database by SQLite's backup interface, which sees what is still in the WAL. The copy appears under
// its name only when it is complete.
void back_up(Db& db, const std::string& path, const std::string& copy) {
  const std::string part = copy + ".part";
  static_cast<void>(std::remove(part.c_str()));
  const int fd = ::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) throw Unusable("cannot make the backup " + part + " before a migration");
  ::close(fd);
  {
    Db target(part, {.access = Db::Access::write});
    sqlite3_backup* backup = sqlite3_backup_init(target.handle(), "main", db.handle(), "main");
    const int code = backup == nullptr ? SQLITE_ERROR : sqlite3_backup_step(backup, -1);
    sqlite3_backup_finish(backup);
    if (code != SQLITE_DONE) {
      static_cast<void>(std::remove(part.c_str()));
      throw Unusable("cannot back up the database " + path + " before a migration: " + sqlite3_errstr(code));
    }
  }
  if (std::rename(part.c_str(), copy.c_str()) != 0) throw Unusable("cannot make the backup " + copy);
}

}  // namespace

std::span<const Migration> migrations() { return all_migrations; }

void migrate(Db& db, const std::string& path, Events& events, std::span<const Migration> steps) {
  const std::int64_t have = asked(db, "PRAGMA user_version", path);
  const std::int64_t want = steps.empty() ? 0 : steps.back().version;
  const bool empty = asked(db, "SELECT count(*) FROM sqlite_schema", path) == 0;
  if (!empty && asked(db, "PRAGMA application_id", path) != application_id)
    throw Unusable("the file " + path + " is a database, but not Kith's; it is left as it is");
  if (have > want)
    throw Unusable("the database " + path + " is from a newer Kith (schema " + std::to_string(have) +
                   ", this program knows up to " + std::to_string(want) +
                   "); install that Kith again, or restore a backup");
  if (have == want) return;

  const std::string copy = path + ".before-v" + std::to_string(want);
  if (!empty) back_up(db, path, copy);
  const auto give_up = [&](std::int64_t version) {
    const std::string words = db.error_words();
    if (db.in_transaction()) static_cast<void>(db.exec("ROLLBACK"));
    throw Unusable("the database " + path + " cannot be brought to schema " + std::to_string(version) + ": " + words +
                   (empty ? "" : "; it is unchanged, and a copy lies at " + copy));
  };
  if (!db.exec("BEGIN IMMEDIATE")) give_up(want);
  for (const Migration& step : steps) {
    if (step.version <= have) continue;
    if (!db.batch(step.script)) give_up(step.version);
    if (asked(db, "PRAGMA user_version", path) != step.version) give_up(step.version);
  }
  if (!db.exec("COMMIT")) give_up(want);
  if (!empty)
    events.record(LogLevel::info, "storage_migrated",
                  {{"from", std::to_string(have)}, {"to", std::to_string(want)}, {"backup", copy}});
}

}  // namespace kith::storage::sqlite
