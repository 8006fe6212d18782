#include "modules/pep/interests.h"

#include <algorithm>

#include "xmpp/caps.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

namespace ns = xmpp::ns;

namespace {

constexpr std::string_view notify = "+notify";

Wanted wanted_in(const xml::Element& query) {
  std::set<std::string, std::less<>> names;
  query.for_each_child([&](const xml::Element& child) {
    std::string_view var = child.attribute("var").value_or("");
    if (!child.is("feature", ns::disco_info) || !var.ends_with(notify)) return;
    var.remove_suffix(notify.size());
    if (!var.empty() && var.size() <= Interests::most_name_bytes && names.size() < Interests::most_nodes) {
      names.emplace(var);
    }
  });
  return std::make_shared<const std::set<std::string, std::less<>>>(std::move(names));
}

}  // namespace

std::optional<Capabilities> capabilities_of(const xml::Element& presence) {
  if (const xml::Element* second = presence.child("c", ns::caps2)) {
    std::optional<Capabilities> found;
    second->for_each_child([&](const xml::Element& hash) {
      if (!hash.is("hash", ns::hashes) || hash.attribute("algo") != "sha-256") return;
      std::string value = hash.text();
      std::string node = std::string(ns::caps2) + "#sha-256." + value;
      found = {.algorithm = "sha-256", .hash = std::move(value), .node = std::move(node), .second = true};
    });
    if (found) return found;
  }
  const xml::Element* c = presence.child("c", ns::caps);
  if (c == nullptr) return std::nullopt;
  const std::string node(c->attribute("node").value_or(""));
  const std::string ver(c->attribute("ver").value_or(""));
  if (node.empty() || ver.empty()) return std::nullopt;
  // XEP-0115 §1.3: without `hash` it is the version of some program: good for the one that says it only.
  return Capabilities{
      .algorithm = std::string(c->attribute("hash").value_or("")), .hash = ver, .node = node + "#" + ver};
}

Interests::Interests(const module::ModuleDeps& deps)
    : random_(deps.random),
      events_(deps.events),
      timers_(deps.timers),
      delivery_(deps.delivery),
      limits_(deps.limits),
      clock_(deps.clock) {
  sweep_.set_action([this] { forget_old(); });
}

Interests::Key Interests::key_of(const Capabilities& capabilities) {
  return {(capabilities.second ? "2 " : "1 ") + capabilities.algorithm, capabilities.hash};
}

void Interests::learn(const xmpp::BareJid& account, const xmpp::FullJid& client, const Capabilities& capabilities) {
  if (const auto known = known_.find(key_of(capabilities)); known != known_.end()) {
    on_learned(account, client, known->second);
    return;
  }
  const std::pair<std::string, std::string> asked{client.text(), capabilities.node};
  if (const auto open = open_.find(asked); open != open_.end()) {
    auto& waiting = questions_.at(open->second).accounts;
    if (std::ranges::find(waiting, account) == waiting.end() && waiting.size() < limits_.roster_items) {
      waiting.push_back(account);
    }
    return;
  }
  if (questions_.size() >= limits_.pep_questions || asks_too_much_of(client.bare())) {
    events_.limit_hit("pep_questions");
    return;
  }
  std::string id = random_.token();
  xml::Element iq("iq", ns::client);
  iq.set("type", "get").set("id", id).set("from", account.text()).set("to", client.text());
  iq.append_child(xml::Element("query", ns::disco_info)).set("node", capabilities.node);
  open_.emplace(asked, id);
  questions_.emplace(id, Question{client, capabilities, {account}, clock_.now()});
  if (!sweep_.waiting()) timers_.schedule(sweep_, answer_time);
  delivery_.route(xmpp::Stanza::make(std::move(iq)));
}

bool Interests::asks_too_much_of(const xmpp::BareJid& person) const {
  const std::string prefix = person.text() + "/";
  std::size_t open = 0;
  for (auto at = open_.lower_bound({prefix, {}}); at != open_.end() && at->first.first.starts_with(prefix); ++at) {
    if (++open >= most_of_one) return true;
  }
  return false;
}

bool Interests::answered(const xmpp::Stanza& answer) {
  const auto found = questions_.find(std::string(answer.id()));
  if (found == questions_.end() || answer.from() != found->second.client) return false;
  const Question question = std::move(found->second);
  questions_.erase(found);
  open_.erase({question.client.text(), question.capabilities.node});
  const xml::Element* query = answer.element().child("query", ns::disco_info);
  if (answer.type() != xmpp::StanzaType::result || query == nullptr) return true;
  const Wanted wanted = wanted_in(*query);
  const Capabilities& capabilities = question.capabilities;
  const std::optional<std::string> hash = capabilities.second ? xmpp::caps2_hash(*query, capabilities.algorithm)
                                                              : xmpp::caps_hash(*query, capabilities.algorithm);
  // SECURITY: XEP-0115 §9.1: what does not have the hash is believed of the client that says it, of no other.
  if (hash == capabilities.hash) {
    if (known_.size() >= most_known) known_.clear();
    known_.emplace(key_of(capabilities), wanted);
  }
  for (const xmpp::BareJid& account : question.accounts) on_learned(account, question.client, wanted);
  return true;
}

void Interests::forget_old() {
  const MonotonicTime now = clock_.now();
  std::erase_if(questions_, [&](const auto& entry) {
    if (now - entry.second.asked < answer_time) return false;
    open_.erase({entry.second.client.text(), entry.second.capabilities.node});
    return true;
  });
  if (!questions_.empty()) timers_.schedule(sweep_, answer_time);
}

}  // namespace kith::modules
