#include "modules/iq_answers/iq_answers.h"

#include <algorithm>

namespace kith::modules {

using module::Done;
using module::Next;
using module::Outcome;

IqAnswers::IqAnswers(const module::ModuleDeps& deps)
    : hosts_(deps.hosts),
      dropped_(deps.events.counter("kith_unasked_answers_total", "Answers to no request, kept from a client.")) {}

void IqAnswers::attach(module::Hooks& hooks) {
  // After whatever may end a request: one that never leaves is answered by us, and that passes without a list.
  hooks.on<module::IqFromClient>(module::Phase::push, this, &IqAnswers::leaves);
  hooks.on<module::IqToSession>(module::Phase::validate, this, &IqAnswers::arrives);
}

Outcome IqAnswers::leaves(module::IqFromClient& event) {
  if (!event.stanza.is_iq_request()) return Next{};
  auto& outstanding = event.session.attachments().get<Outstanding>();
  outstanding.requests.push_back({event.stanza.to()->text(), std::string(event.stanza.id())});
  outstanding.bytes += outstanding.requests.back().bytes();
  while (outstanding.requests.size() > most_requests || outstanding.bytes > most_bytes) {
    outstanding.bytes -= outstanding.requests.front().bytes();
    outstanding.requests.pop_front();
  }
  return Next{};
}

Outcome IqAnswers::arrives(module::IqToSession& event) {
  if (event.stanza.is_iq_request() || !event.stanza.from()) return Next{};
  const xmpp::Jid& from = *event.stanza.from();
  if (auto* outstanding = event.session.attachments().find<Outstanding>()) {
    const Request answered{from.text(), std::string(event.stanza.id())};
    const auto found = std::ranges::find(outstanding->requests, answered);
    if (found != outstanding->requests.end()) {
      outstanding->bytes -= found->bytes();
      outstanding->requests.erase(found);
      return Next{};
    }
  }
  // The account, its other clients and the servers of this house.
  if (from.bare_text() == event.session.jid().bare_text()) return Next{};
  if (!from.has_localpart()) {
    if (hosts_.is_local(from.domainpart())) return Next{};
  } else if (event.session.account().roster().lets_see(xmpp::BareJid::of(from))) {
    return Next{};
  }
  dropped_.add();
  return Done{};
}

}  // namespace kith::modules
