// Push notifications (XEP-0357 v0.4.1): a client that is not connected is woken through a service that it has named.
// What leaves the server is that there is something, and nothing of what, unless its administrator says otherwise:
// neither senders nor texts. Lives on the account's shard. State: the account's registrations, while it is loaded; what
// is under way. Storage: DocumentStore, kind "push";
// PushLogStore.
//
// A registration belongs to the client that made it: it is woken while none of that client's sessions has a connection.
// Messages of rooms wake as the bookmark of the room says (XEP-0492): room_settings.h. A room tells somebody who
// belongs to it and is not in it, too, by a message of type groupchat to the bare address; it wakes, if the room is one
// of his bookmarks that his clients enter of their own accord, and goes no further: the text is in the room's archive.
//
// The session of a client that can be woken waits longer for it: `sleep_hours`. Meanwhile it stays in its rooms.
//
// An error of the service counts; after `most_errors` in a row, or at once where the service says that there is no such
// node, the registration goes.
//
// What was sent where is counted for `log_days`: the owner sees it by a command (XEP-0050), the administrator by
// kithctl.
//
// Limits: push_registrations for each account, push_notifications (a rate) for each registration, a form of
// `most_form_bytes`.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "module/module.h"

namespace kith::modules {

class Push final : public module::Module {
 public:
  static constexpr std::string_view ns_push = "urn:xmpp:push:0";
  static constexpr std::string_view kind = "push";
  static constexpr std::size_t most_errors = 10;
  static constexpr std::size_t most_form_bytes = 4096;
  static constexpr std::size_t most_under_way = 10'000;
  static constexpr std::string_view log_node = "urn:kith:push:log";
  static constexpr int log_days = 7;
  static constexpr std::size_t expired_at_once = 500;  ///< hours of the log removed in one write
  static constexpr Duration expire_every = std::chrono::minutes(10);

  static constexpr module::Descriptor descriptor{
      .name = "push",
      .summary = "Wakes clients that are not connected, through a service that they name, without telling it what came",
      .specs = {{.xep = 357, .version = "0.4.1", .note = "no count of messages, no sender, no text"},
                {.xep = 492, .version = "0.2.0", .note = "of rooms, for what wakes a phone"}},
      .account_features = {ns_push},
      .settings = {{.key = "placeholder",
                    .type = module::Setting::Type::text,
                    .fallback = "\"New message\"",
                    .help =
                        "What stands in place of a message's text; some services wake a phone only if there is one. "
                        "Empty: nothing."},
                   {.key = "sleep_hours",
                    .type = module::Setting::Type::integer,
                    .unit = "hours",
                    .fallback = "24",
                    .least = 0,
                    .most = 168,
                    .help = "How long the session of a client that can be woken waits for it, if that is more than "
                            "limits.sm_resume_time; meanwhile the client stays in its rooms."}},
  };
  explicit Push(const module::ModuleDeps& deps) : deps_(deps), timer_([this] { expire_log(); }) {}
  void attach(module::Hooks& hooks) override;
  void configure(const module::Settings& settings) override {
    placeholder_ = settings.text("placeholder");
    sleep_ = std::chrono::hours(settings.integer("sleep_hours"));
  }

 private:
  struct UnderWay {
    xmpp::BareJid account;
    std::string service;
    std::string node;
    MonotonicTime sent;
  };

  void enable(module::IqRequest request);
  void disable(module::IqRequest request);
  module::Outcome message(module::MessageToAccount& event);
  module::Outcome notice(module::MessageToAccount& event);
  void hibernates(module::SessionHibernates& event);
  void waits(module::SessionWaits& event);
  module::Outcome answered(module::IqAnswerToAccount& event);

  /// Calls `then` when the account's registrations are known, in the order of the calls.
  void with_known(module::Account& account, std::move_only_function<void(module::Account&, bool known)> then);
  storage::Ticket write(module::Account& account);
  /// For a message of a room that the account's owner is in, or (`absent`) is not in.
  void wake_for_room(module::Account& account, const xmpp::Stanza& message, bool absent);
  /// Wakes all of the account's clients that have no connection.
  void wake(module::Account& account);
  void forget_old();
  void show_log(module::CommandRequest request);
  void expire_log();

  module::ModuleDeps deps_;
  const module::Hooks* hooks_ = nullptr;
  std::string placeholder_;
  std::chrono::seconds sleep_{};
  std::map<std::string, UnderWay> under_way_;  // by the id of the iq
  Timer timer_;                                // for what the log holds for too long
};

}  // namespace kith::modules
