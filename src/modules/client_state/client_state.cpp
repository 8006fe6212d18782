#include "modules/client_state/client_state.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <utility>

#include "module/urgency.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace {

using module::Done;
using module::Next;
using module::Outcome;
using module::Session;

/// What one inactive client does not have yet.
class Holder final : public module::SessionFilter {
 public:
  Holder(Session& session, Events& events, const Limits& limits)
      : session_(session), events_(events), limits_(limits) {}

  bool hold(const xmpp::Stanza& stanza, storage::Ticket gate, const xmpp::Stanza* if_failed) override {
    switch (module::judge_urgency(stanza)) {
      case module::Urgency::now:
        flush();
        return false;
      case module::Urgency::drop:
        return true;
      case module::Urgency::presence:
        forget_presence(stanza);
        break;
      case module::Urgency::hold:
        break;
    }
    const std::size_t bytes = xml::to_string(stanza.content()).size();
    held_.push_back({stanza, gate, if_failed == nullptr ? std::nullopt : std::optional(*if_failed), bytes});
    bytes_ += bytes;
    if (held_.size() > limits_.held_stanzas || bytes_ > limits_.held_bytes) {
      events_.limit_hit("held_stanzas");
      flush();
    }
    return true;
  }
  void flush() {
    bytes_ = 0;
    for (const Held& held : std::exchange(held_, {}))
      session_.output().send(held.stanza, held.gate, held.if_failed ? &*held.if_failed : nullptr);
  }

 private:
  struct Held {
    xmpp::Stanza stanza;
    storage::Ticket gate;
    std::optional<xmpp::Stanza> if_failed;
    std::size_t bytes;
  };
  void forget_presence(const xmpp::Stanza& newer) {
    if (!newer.from()) return;
    std::erase_if(held_, [&](const Held& held) {
      if (held.stanza.kind() != xmpp::StanzaKind::presence || held.stanza.from() != newer.from()) return false;
      bytes_ -= held.bytes;
      return true;
    });
  }

  Session& session_;
  Events& events_;
  const Limits& limits_;
  std::deque<Held> held_;
  std::size_t bytes_ = 0;
};

struct State {
  std::unique_ptr<Holder> holder;  ///< null while the client is active
};

}  // namespace

ClientState::ClientState(const module::ModuleDeps& deps) : events_(deps.events), limits_(deps.limits) {}

void ClientState::attach(module::Hooks& hooks) {
  hooks.on<module::StreamFeatures>(this, &ClientState::offer);
  hooks.on<module::NonzaFromClient>(module::Phase::deliver, this, &ClientState::change);
  hooks.on<module::BindInlineFeatures>(this, &ClientState::offer_inline);
  hooks.on<module::BindInline>(this, &ClientState::begin);
  hooks.on<module::SessionSaved>(this, &ClientState::save);
  hooks.on<module::SessionResumed>(this, &ClientState::resumed);
  hooks.on<module::SessionEnding>(this, &ClientState::ending);
  hooks.on<module::SessionRestored>(this, &ClientState::restore);
}

// XEP-0386 §3.2
void ClientState::offer_inline(module::BindInlineFeatures& event) {
  event.features.add(xml::Element("feature", xmpp::ns::bind2).set("var", std::string(ns_csi)));
}

void ClientState::begin(module::BindInline& event) {
  if (event.request.child("inactive", ns_csi) != nullptr) set_inactive(event.session);
}

void ClientState::save(module::SessionSaved& event) {
  const auto* state = event.session.attachments().find<State>();
  if (state == nullptr || state->holder == nullptr) return;
  state->holder->flush();
  event.states.emplace_back("inactive", ns_csi);
}

void ClientState::restore(module::SessionRestored& event) {
  if (event.state("inactive", ns_csi) != nullptr) set_inactive(event.session);
}

void ClientState::set_inactive(Session& session) {
  auto& holder = session.attachments().get<State>().holder;
  if (holder == nullptr) holder = std::make_unique<Holder>(session, events_, limits_);
  session.set_filter(holder.get());
}

void ClientState::set_active(Session& session) {
  session.set_filter(nullptr);
  auto* state = session.attachments().find<State>();
  if (state == nullptr || state->holder == nullptr) return;
  state->holder->flush();
  state->holder.reset();
}

// §4.2: a stream is active at first, also one that resumes a session.
void ClientState::resumed(module::SessionResumed& event) { set_active(event.session); }

// What its client does not get finds another way, or is kept.
void ClientState::ending(module::SessionEnding& event) { set_active(event.session); }

void ClientState::offer(module::StreamFeatures& event) {
  if (event.authenticated) event.features.add(xml::Element("csi", ns_csi));
}

Outcome ClientState::change(module::NonzaFromClient& event) {
  Session& session = event.session;
  if (event.element.is("inactive", ns_csi)) {
    set_inactive(session);
    return Done{};
  }
  if (event.element.is("active", ns_csi)) {
    set_active(session);
    return Done{};
  }
  return Next{};
}

}  // namespace kith::modules
