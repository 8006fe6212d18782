// The admin API, version 1: JSON over HTTP, spoken on the local admin socket by kithctl and by later tools.
// AdminApi turns requests into calls of AdminActions and their answers into JSON; it has no socket. One thread.
//
//   GET    /v1/status                                            what runs, since when, and how much of it
//   GET    /v1/users[?domain=D]                                  the accounts of a domain, or all
//   POST   /v1/users                {"jid", "password"}          makes an account
//   PUT    /v1/users/{jid}/password {"password"}                 sets an account's password
//   DELETE /v1/users/{jid}                                       removes an account and all that is its
//   GET    /v1/sessions[?account=J]                              who is connected
//   DELETE /v1/sessions/{full jid}                               ends a session
//   GET    /v1/users/{jid}/clients                               which clients have access
//   DELETE /v1/users/{jid}/clients/{id}                          takes a client's tokens and ends its sessions
//   GET    /v1/federation                                        streams with other servers, what waits, who is blocked
//   POST   /v1/federation/{domain}/check                         finds out whether a server can be reached
//   POST   /v1/federation/{domain}/retry                         tries again now what waits for it
//   PUT    /v1/federation/{domain}/block                         no longer talks to it
//   DELETE /v1/federation/{domain}/block                         talks to it again
//   GET    /v1/users/{jid}/doctor                                what is wrong with an account's keys for encryption
//   POST   /v1/users/{jid}/doctor                                the same, after mending what can be mended
//   GET    /v1/rooms                                             the rooms of all domains
//   GET    /v1/rooms/{jid}                                       one room: its configuration and its people
//   DELETE /v1/rooms/{jid}                                       destroys a room
//   PUT    /v1/rooms/{jid}/people/{jid}      {"affiliation"}     owner, admin, member, none or outcast
//   PUT    /v1/rooms/{jid}/config/{field}    {"value"}           a field of the form that its owners fill
//   GET    /v1/uploads[?account=]                                files that were uploaded, of one account or of all
//   DELETE /v1/uploads/{id}                                      deletes a file
//   POST   /v1/reload                                            reads configuration and certificates again
//
// {…} stands for one percent-encoded segment of the path, so that the '/' of a full JID is %2F; segments and query
// values are decoded once. An error is {"error": {"code", "message"}}; the message is one sentence for people.
// SECURITY: passwords appear in no answer, no error and no log, and are wiped after use.
#pragma once

#include <cstddef>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/secret.h"
#include "module/client_list.h"
#include "module/hooks.h"
#include "module/key_check.h"
#include "storage/storage.h"
#include "storage/uploads.h"
#include "xmpp/jid.h"

namespace kith::server {

/// Why an action was not done. `code` is for programs (`no-such-user`), `sentence` for people.
struct AdminError {
  int http_status = 500;
  std::string code;
  std::string sentence;
};

/// Takes the answer, once, on any thread. Dropped without being called, the request ends in a time-out.
template <class T>
using AdminAnswer = std::move_only_function<void(std::expected<T, AdminError>)>;

/// Of an action that has nothing to tell but that it is done.
struct AdminDone {};

struct AdminStatus {
  std::string version;
  WallTime started{};
  std::vector<std::string> domains{};
  std::vector<std::string> listeners{};  ///< for people: "127.0.0.1:5222 c2s"
  std::size_t shards = 0;
  std::size_t connections = 0;
  std::size_t sessions = 0;
  std::size_t accounts_in_memory = 0;
};

struct AdminUser {
  xmpp::BareJid jid;
  bool disabled = false;
  std::optional<WallTime> last_seen{};
};

struct AdminSession {
  xmpp::FullJid jid;
  std::string address{};    ///< the peer's IP address
  std::string tls{};        ///< empty without TLS
  std::string mechanism{};  ///< the SASL mechanism
  WallTime since{};
  bool available = false;
  int priority = 0;          ///< means something while available
  bool hibernating = false;  ///< its connection is lost, and its client may resume it
};

struct AdminFederation {
  struct Stream {
    std::string domain;
    std::string own;  ///< our domain; empty for one that came in
    bool incoming = false;
    bool ready = false;
  };
  struct Line {
    std::string domain;
    std::string own;
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::string why;  ///< the server could not be reached; empty: it can
  };
  std::vector<Stream> streams{};
  std::vector<Line> waiting{};
  std::vector<std::string> blocked{};
};

struct AdminCheck {
  struct Step {
    bool good;
    std::string step;
    std::string words;
  };
  std::vector<Step> steps{};
};

struct AdminRetry {
  std::uint64_t messages = 0;  ///< that wait for it
};

struct AdminKeys {
  std::vector<module::KeyFinding> findings{};
  std::size_t devices = 0;  ///< whose keys can be used
};

struct AdminRoom {
  xmpp::BareJid jid;
  std::string name{};
};

struct AdminUploads {
  std::vector<storage::UploadRecord> files{};  ///< at most `most`, in the order of their ids
  storage::UploadStore::Usage usage{};         ///< of all that there are
  static constexpr std::size_t most = 10'000;
};

/// What is to be known of a room, as names and values; a name may be there more than once.
using AdminRoomLines = module::RoomAdministration::Lines;

struct AdminReload {
  std::vector<std::string> notes{};  ///< what was taken over, and what waits for a restart; one sentence each
};

/// What an administrator can have done. The codes that the implementation is expected to use are named at each.
class AdminActions {
 public:
  virtual ~AdminActions() = default;
  virtual void status(AdminAnswer<AdminStatus> then) = 0;
  /// An empty domain means all. 404 no-such-domain.
  virtual void list_users(std::string domain, AdminAnswer<std::vector<AdminUser>> then) = 0;
  /// `jid` has a localpart that new accounts may have. 409 user-exists, 404 no-such-domain, 503 storage-failed.
  virtual void add_user(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) = 0;
  /// 404 no-such-user, 503 storage-failed.
  virtual void set_password(xmpp::BareJid jid, Secret password, AdminAnswer<AdminDone> then) = 0;
  /// 404 no-such-user, 503 storage-failed.
  virtual void remove_user(xmpp::BareJid jid, AdminAnswer<AdminDone> then) = 0;
  /// Of one account or, without it, of all. 404 no-such-user.
  virtual void list_clients(xmpp::BareJid account, AdminAnswer<std::vector<module::ClientInfo>> then) = 0;
  virtual void end_client(xmpp::BareJid account, std::string id, AdminAnswer<AdminDone> then) = 0;
  /// What went to the account's push services. 404 no-such-user.
  virtual void list_pushes(xmpp::BareJid account, AdminAnswer<std::vector<storage::PushRecord>> then) = 0;
  /// Looks at the account's keys for encryption; with `mend` what is closed is opened. 404 no-such-user, 503
  /// storage-failed.
  virtual void check_keys(xmpp::BareJid account, bool mend, AdminAnswer<AdminKeys> then) = 0;
  virtual void list_sessions(std::optional<xmpp::BareJid> account, AdminAnswer<std::vector<AdminSession>> then) = 0;
  /// 404 no-such-session.
  virtual void end_session(xmpp::FullJid jid, AdminAnswer<AdminDone> then) = 0;
  /// Prepared domains of other servers. For all of these: 409 no-federation.
  virtual void federation(AdminAnswer<AdminFederation> then) = 0;
  /// 409 own-domain, 503 busy.
  virtual void check_server(std::string domain, AdminAnswer<AdminCheck> then) = 0;
  virtual void retry_server(std::string domain, AdminAnswer<AdminRetry> then) = 0;
  /// 409 own-domain, 404 not-blocked, 503 storage-failed.
  virtual void block_server(std::string domain, bool block, AdminAnswer<AdminDone> then) = 0;
  /// Listed or not.
  virtual void list_rooms(AdminAnswer<std::vector<AdminRoom>> then) = 0;
  /// 404 no-such-room, 400 bad-request, 409 conflict, 503 storage-failed.
  virtual void room(xmpp::BareJid jid, module::RoomAdministration::Wish wish, std::string object, std::string value,
                    AdminAnswer<AdminRoomLines> then) = 0;
  /// Of one account or, without it, of all. 503 storage-failed.
  virtual void list_uploads(std::optional<xmpp::BareJid> account, AdminAnswer<AdminUploads> then) = 0;
  /// Deletes a file that was uploaded. 404 no-such-file, 503 storage-failed.
  virtual void remove_upload(std::string id, AdminAnswer<AdminDone> then) = 0;
  /// 409 configuration-refused, with file, line and key in the sentence; the daemon keeps what it had.
  virtual void reload(AdminAnswer<AdminReload> then) = 0;
};

struct AdminRequest {
  std::string method;  ///< GET, POST …
  std::string target;  ///< path and query as they came
  std::string body{};
};

struct AdminResponse {
  int status = 200;
  std::string body;  ///< JSON, always an object
};

/// {"error": …} with that status.
AdminResponse error_response(const AdminError& error);

class AdminApi {
 public:
  explicit AdminApi(AdminActions& actions) : actions_(actions) {}

  using Then = std::move_only_function<void(AdminResponse)>;
  /// Answers `then` once, within the call or later on any thread.
  void handle(AdminRequest request, Then then);

 private:
  AdminActions& actions_;
};

}  // namespace kith::server
