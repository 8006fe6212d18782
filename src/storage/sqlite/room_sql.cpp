#include "storage/sqlite/room_sql.h"

#include <optional>
#include <utility>

#include "storage/sqlite/archive_sql.h"
#include "storage/sqlite/stored_values.h"

namespace kith::storage::sqlite {

namespace {

Result<bool> done_of(const Result<std::uint64_t>& done) {
  if (!done) return std::unexpected(done.error());
  return true;
}

Result<std::optional<RoomData>> load_now(Db& db, const std::string& room) {
  const ReadTransaction one_state(db);
  std::optional<RoomData> data;
  const auto found = db.query(
      "SELECT config, subject FROM rooms WHERE room = ?",
      [&](const Row& row) { data = RoomData{.config = row.text(0), .subject = row.text(1)}; }, room);
  if (!found) return std::unexpected(found.error());
  if (!data) return data;
  const auto people = db.query(
      "SELECT jid, affiliation, reason FROM room_people WHERE room = ?",
      [&](const Row& row) {
        if (auto jid = bare_jid_from(row.text(0)))
          data->people.push_back({.jid = *std::move(jid), .affiliation = row.text(1), .reason = row.text(2)});
      },
      room);
  if (!people) return std::unexpected(people.error());
  return data;
}

}  // namespace

void RoomSql::load(const xmpp::BareJid& room, Callback<std::optional<RoomData>> then) {
  access_.read<std::optional<RoomData>>([room = room.text()](Db& db) { return load_now(db, room); }, std::move(then));
}

Ticket RoomSql::put(const xmpp::BareJid& room, const std::string& name, bool listed, std::string config) {
  const std::size_t bytes = room.text().size() + name.size() + config.size();
  return access_.write(
      bytes,
      [room = room.text(), domain = std::string(room.domainpart()), name, listed,
       config = std::move(config)](Db& db) -> Result<bool> {
        return done_of(
            db.exec("INSERT INTO rooms (room, domain, listed, name, config, subject) VALUES (?, ?, ?, ?, ?, '') "
                    "ON CONFLICT (room) DO UPDATE SET listed = excluded.listed, name = excluded.name, "
                    "config = excluded.config",
                    room, domain, listed, name, config));
      });
}

Ticket RoomSql::put_subject(const xmpp::BareJid& room, std::string subject) {
  const std::size_t bytes = room.text().size() + subject.size();
  return access_.write(bytes, [room = room.text(), subject = std::move(subject)](Db& db) -> Result<bool> {
    return done_of(db.exec("UPDATE rooms SET subject = ? WHERE room = ?", subject, room));
  });
}

Ticket RoomSql::put_person(const xmpp::BareJid& room, const RoomPerson& person) {
  const std::size_t bytes = room.text().size() + person.jid.text().size() + person.reason.size();
  return access_.write(bytes, [room = room.text(), person](Db& db) -> Result<bool> {
    if (person.affiliation.empty()) {
      return done_of(db.exec("DELETE FROM room_people WHERE room = ? AND jid = ?", room, person.jid.text()));
    }
    return done_of(
        db.exec("INSERT INTO room_people (room, jid, affiliation, reason) SELECT room, ?, ?, ? FROM rooms "
                "WHERE room = ? ON CONFLICT (room, jid) DO UPDATE SET affiliation = excluded.affiliation, "
                "reason = excluded.reason",
                person.jid.text(), person.affiliation, person.reason, room));
  });
}

Ticket RoomSql::remove(const xmpp::BareJid& room) {
  return access_.write(room.text().size(), [&index = archive_index_, room = room.text()](Db& db) -> Result<bool> {
    static constexpr Sql statements[] = {"DELETE FROM rooms WHERE room = ?", "DELETE FROM room_people WHERE room = ?",
                                         "DELETE FROM documents WHERE account = ?"};
    if (const auto done = remove_archive(db, index, room); !done) return std::unexpected(done.error());
    for (const Sql& statement : statements) {
      if (const auto done = db.exec(statement, room); !done) return std::unexpected(done.error());
    }
    return true;
  });
}

void RoomSql::list(const std::string& domain, const std::string& after, std::size_t most,
                   Callback<std::vector<ListedRoom>> then) {
  access_.read<std::vector<ListedRoom>>(
      [domain, after, most](Db& db) -> Result<std::vector<ListedRoom>> {
        std::vector<ListedRoom> rooms;
        const auto done = db.query(
            "SELECT room, name FROM rooms WHERE domain = ? AND listed = 1 AND room > ? ORDER BY room LIMIT ?",
            [&](const Row& row) {
              if (auto room = bare_jid_from(row.text(0)))
                rooms.push_back({.jid = *std::move(room), .name = row.text(1)});
            },
            domain, after, static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return rooms;
      },
      std::move(then));
}

void RoomSql::list_all(const std::string& after, std::size_t most, Callback<std::vector<ListedRoom>> then) {
  access_.read<std::vector<ListedRoom>>(
      [after, most](Db& db) -> Result<std::vector<ListedRoom>> {
        std::vector<ListedRoom> rooms;
        const auto done = db.query(
            "SELECT room, name FROM rooms WHERE room > ? ORDER BY room LIMIT ?",
            [&](const Row& row) {
              if (auto room = bare_jid_from(row.text(0)))
                rooms.push_back({.jid = *std::move(room), .name = row.text(1)});
            },
            after, static_cast<std::int64_t>(most));
        if (!done) return std::unexpected(done.error());
        return rooms;
      },
      std::move(then));
}

}  // namespace kith::storage::sqlite
