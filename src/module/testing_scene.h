// A stage on which stanzas travel: what a client says runs through the hooks, goes to the account of its `to` and to
// that account's sessions, as the router does it, until nothing moves any more. For tests of features that depend on
// one another. What is for another domain is collected. Not part of the program. One thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "module/testing.h"

namespace kith::module::testing {

class Scene {
 public:
  Stage stage;

  /// A client sends a stanza.
  void says(Session& session, std::string_view text) {
    session.set_active(stage.clock.now());
    xmpp::Stanza said = stanza(text);
    said.set_from(session.jid());
    const auto ended = [&](const Outcome& outcome) {
      if (const auto* error = std::get_if<xmpp::StanzaError>(&outcome)) {
        if (auto reply = xmpp::error_reply(said, *error)) session.send(*reply);
      }
      return !std::holds_alternative<Next>(outcome);
    };
    switch (said.kind()) {
      case xmpp::StanzaKind::message: {
        if (!said.to()) said.set_to(session.account().jid());
        MessageFromClient event{session, said};
        if (!ended(stage.hooks.run(event))) stage.delivery.route(said, {}, {});
        break;
      }
      case xmpp::StanzaKind::presence: {
        PresenceFromClient event{session, said};
        if (!ended(stage.hooks.run(event)) && said.to()) stage.delivery.route(said, {}, {});
        break;
      }
      case xmpp::StanzaKind::iq:
        if (!said.is_iq_request() && (!said.to() || *said.to() == session.account().jid())) {
          IqAnswerToAccount event{session.account(), said};
          stage.hooks.run(event);
        } else if (said.to() && (stage.hooks.service_of(said.to()->domainpart()) != nullptr ||
                                 !stage.hosts.is_local(said.to()->domainpart()))) {
          IqFromClient event{session, said};
          if (!ended(stage.hooks.run(event))) stage.delivery.route(said, {}, {});
        } else {
          stage.dispatch(std::move(said), &session);
        }
        break;
    }
    settle();
  }
  /// Somebody of another server sends a stanza, with its `from` and `to`.
  void arrives(std::string_view text) {
    stage.delivery.route(stanza(text), {}, {});
    settle();
  }
  void ends(Session& session) {
    stage.end(session);
    settle();
  }
  /// Lets everything that is under way arrive.
  void settle() {
    bool moved = true;
    while (moved) {
      moved = stage.disk.run();
      for (auto& item : std::exchange(stage.delivery.routed, {})) {
        moved = true;
        deliver(std::move(item));
      }
    }
  }

  /// What the session's client got since this was last asked, one line of XML each; what waited for a write that failed
  /// is left out.
  std::vector<std::string> got(const Session& session) { return got(session.jid().text()); }
  std::vector<std::string> got(const std::string& full) {
    std::vector<std::string> lines;
    for (const auto& sent : std::exchange(stage.output(full).sent, {})) {
      if (!stage.disk.failed(sent.gate)) {
        lines.push_back(text_of(sent.stanza));
      } else if (sent.if_failed) {
        lines.push_back(text_of(*sent.if_failed));
      }
    }
    return lines;
  }
  void forget_all() {
    for (const auto& [name, account] : names_) {
      for (const auto& session : account->sessions()) got(*session);
    }
    outside.clear();
  }
  Session& bind(std::string_view full) {
    Session& session = stage.bind(full);
    names_[session.account().jid()] = &session.account();
    settle();
    return session;
  }
  /// Bound, with the roster asked for and presence sent; what that brought is forgotten.
  Session& comes(std::string_view full, std::string_view presence = "<presence/>") {
    Session& session = bind(full);
    says(session, "<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>");
    says(session, presence);
    got(session);
    return session;
  }

  static std::string text_of(const xmpp::Stanza& stanza) { return xml::to_string(stanza.element(), xmpp::ns::client); }

  /// What went to other domains, as text.
  std::vector<std::string> outside;

 private:
  void deliver(RecordingOutput::Sent item) {
    if (stage.disk.failed(item.gate)) {
      if (!item.if_failed) return;
      item.stanza = *std::move(item.if_failed);
      item.gate = {};
    }
    const xmpp::Jid to = *item.stanza.to();
    if (Service* const service = stage.hooks.service_of(to.domainpart())) {
      service->receive(std::move(item.stanza), item.gate, [](storage::Ticket) {});
      return;
    }
    if (!stage.hosts.is_local(to.domainpart())) {
      outside.push_back(text_of(item.stanza));
      return;
    }
    Account* account = stage.find_account(xmpp::BareJid::of(to));
    if (account == nullptr) {
      if (item.stanza.kind() != xmpp::StanzaKind::presence) refuse(item.stanza, xmpp::Condition::service_unavailable);
      return;
    }
    Outcome outcome = Next{};
    switch (item.stanza.kind()) {
      case xmpp::StanzaKind::message: {
        MessageToAccount event{*account, item.stanza, item.gate};
        outcome = stage.hooks.run(event);
        if (std::holds_alternative<Next>(outcome) && event.delivered == 0) {
          refuse(item.stanza, xmpp::Condition::service_unavailable);
        }
        break;
      }
      case xmpp::StanzaKind::presence: {
        PresenceToAccount event{*account, item.stanza, item.gate};
        outcome = stage.hooks.run(event);
        break;
      }
      case xmpp::StanzaKind::iq: {
        if (to.is_bare() && !item.stanza.is_iq_request()) {
          IqAnswerToAccount event{*account, item.stanza};
          stage.hooks.run(event);
          break;
        }
        Session* session = to.is_full() ? account->session(to.resourcepart()) : nullptr;
        if (session != nullptr) session->send(item.stanza, item.gate);
        break;
      }
    }
    if (const auto* error = std::get_if<xmpp::StanzaError>(&outcome)) {
      if (auto reply = xmpp::error_reply(item.stanza, *error)) stage.delivery.route(*std::move(reply), {}, {});
    }
  }
  void refuse(const xmpp::Stanza& refused, xmpp::Condition condition) {
    if (auto reply = xmpp::error_reply(refused, xmpp::StanzaError::of(condition))) {
      stage.delivery.route(*std::move(reply), {}, {});
    }
  }

  std::map<xmpp::BareJid, Account*> names_;
};

}  // namespace kith::module::testing
