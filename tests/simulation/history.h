// What the clients of a run saw and did, in order: all that the checkers look at, and what a failing seed prints.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "xml/element.h"

namespace kith::simulation {

struct RosterLine {
  std::string jid;
  std::string name;
  std::string subscription;
};

/// What matters of one stanza (or other first-level element).
struct Facts {
  std::string name;  ///< "message", "presence", "iq"; "error" for a stream error
  std::string type;
  std::string id;
  std::string from;
  std::string to;
  std::string payload;     ///< the name of the first child element
  std::string payload_ns;  ///< … and its namespace
  std::string mark;        ///< what the simulation wrote into it: a body, a status, a stored document's text
  std::string error;       ///< the condition
  std::string error_type;
  std::string key;           ///< the namespace of a private document
  int priority = 0;          ///< of a presence
  bool delayed = false;      ///< handed out by the offline store
  bool has_status = false;   ///< of a presence
  bool for_offline = false;  ///< worth keeping for who is away
  std::vector<RosterLine> items{};
};
Facts facts_of(const xml::Element& element);

enum class What : std::uint8_t {
  opened,        ///< a connection was made
  bound,         ///< its stream has a resource now
  sent,          ///< by the client
  received,      ///< by the client
  ended,         ///< the stream is over, for the client
  stopping,      ///< the server, and starts again soon
  crashed,       ///< the server, and started again
  restarted,     ///< the server, after it had stopped in order
  failed,        ///< the disk, at least once since the last record of this kind
  calm,          ///< from here on nothing goes wrong any more, and every client has its answers
  lost,          ///< the connection of a managed stream; its client will try to resume it
  resumed,       ///< a managed stream, on a new connection
  told,          ///< the client has told the server how much it has (XEP-0198 <a/>)
  acknowledged,  ///< the server has told the client that it has this stanza
  note,
};

/// How a stream ended.
enum class End : std::uint8_t { none, by_client, cut, by_server, crash, left };

struct Stream {
  std::string account;  ///< bare JID
  std::string jid;      ///< full JID once bound
  std::size_t opened_at = 0;
  std::size_t bound_at = SIZE_MAX;  ///< index of the record
  std::size_t ended_at = SIZE_MAX;
  End end = End::none;
  std::string error;                  ///< the stream error that the server sent, if any
  std::vector<std::string> deserves;  ///< stream errors that the client provoked
  bool lazy = false;                  ///< it did not always read what it got
  /// Under stream management since this record: it outlives its connections.
  std::size_t managed_at = SIZE_MAX;
  bool managed() const { return managed_at != SIZE_MAX; }
  bool bound() const { return bound_at != SIZE_MAX; }
  bool over() const { return ended_at != SIZE_MAX; }
};

struct Record {
  Duration at{};
  What what = What::note;
  unsigned stream = 0;
  Facts facts{};
  std::string text{};
};

struct Fault {
  std::string checker;
  std::string why;
  std::string about;  ///< the id or mark of the stanza that it is about, or empty
};

class History {
 public:
  explicit History(const Clock& clock) : clock_(clock), start_(clock.now()) {}

  unsigned open(std::string account);
  std::size_t add(What what, unsigned stream, std::string text, Facts facts = {});
  void bound(unsigned stream, std::string jid);
  void ended(unsigned stream, End end, const std::string& how);
  /// Something that is wrong whatever comes later.
  void fault(std::string checker, std::string why, std::string about = {});

  const std::vector<Stream>& streams() const { return streams_; }
  Stream& stream(unsigned index) { return streams_[index]; }
  const std::vector<Record>& records() const { return records_; }
  const std::vector<Fault>& faults() const { return faults_; }
  /// Of all records.
  std::uint64_t fingerprint() const { return fingerprint_; }
  /// A number that nobody had before.
  std::string fresh(std::string_view prefix) { return std::string(prefix) + std::to_string(++names_); }

  /// Facts about the whole run that the checkers take into account.
  bool small_outbox = false;
  bool small_offline_store = false;
  bool failing_reads = false;
  bool small_sessions = false;  ///< limits that may end a session which waits for its client
  Duration resume_time{};
  bool narrow_links = false;  ///< so narrow that what the server says last may not get through in time
  std::string domain;

 private:
  const Clock& clock_;
  MonotonicTime start_;
  std::vector<Stream> streams_;
  std::vector<Record> records_;
  std::vector<Fault> faults_;
  std::uint64_t fingerprint_ = 0xcbf29ce484222325U;
  std::uint64_t names_ = 0;
};

/// One line of the transcript.
std::string line_of(const History& history, std::size_t index);
/// The records that touch a stanza, by its id or mark, or a stream ("s12").
std::string records_about(const History& history, const std::string& about);
std::string last_records(const History& history, std::size_t most);

}  // namespace kith::simulation
