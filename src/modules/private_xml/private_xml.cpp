#include "modules/private_xml/private_xml.h"

#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <utility>

#include "xml/stream_parser.h"
#include "xml/writer.h"

namespace kith::modules {

namespace {

using module::Access;
using module::Target;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaType;

constexpr const char* kind = "private";

/// How many documents the account has; unknown until it is first asked. Counted here, so that many sets at once can't
/// pass the limit together.
struct Entries {
  std::optional<std::uint64_t> count;
};

/// Sets in the order in which they came. Each asks the disk first whether its document is there, and what one reader of
/// the disk answers late must not be written over what came after it.
struct Sets {
  struct One {
    module::IqRequest request;
    std::string key;
    std::string document;
  };
  std::deque<One> waiting;
  bool under_way = false;
};

StanzaError not_acceptable(std::string text) { return {ErrorType::modify, Condition::not_acceptable, std::move(text)}; }

// XEP-0049 §2.3: namespaces of the protocol itself. Those who ask for them want something else than private storage.
bool reserved(std::string_view ns) {
  return ns.empty() || ns.starts_with("jabber:") || ns.starts_with("http://jabber.org/") || ns == "vcard-temp";
}

std::expected<const xml::Element*, StanzaError> only_child(const xml::Element& query) {
  if (query.child_element_count() == 0) return std::unexpected(not_acceptable("The query names nothing."));
  if (query.child_element_count() > 1) return std::unexpected(not_acceptable("One element at a time."));
  const xml::Element* child = query.first_child();
  if (reserved(child->ns())) return std::unexpected(not_acceptable("This namespace cannot be stored."));
  return child;
}

// A name has no space, so no two pairs make the same key.
std::string key_of(const xml::Element& child) { return std::string(child.name()) + " " + std::string(child.ns()); }

}  // namespace

void PrivateXml::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on_iq(Target::account, Access::owner, StanzaType::get, "query", ns_private, this, &PrivateXml::get);
  hooks.on_iq(Target::account, Access::owner, StanzaType::set, "query", ns_private, this, &PrivateXml::set);
}

bool PrivateXml::taken_over(module::IqRequest& request) const {
  module::StoreRequest event{request};
  return std::holds_alternative<module::Done>(hooks_->run(event));
}

void PrivateXml::get(module::IqRequest request) {
  const auto child = only_child(request.payload());
  if (!child) return request.fail(child.error());
  if (taken_over(request)) return;
  std::string key = key_of(**child);
  const xmpp::BareJid owner = request.account()->jid();
  documents_.get(owner, kind, key,
                 [request = std::move(request)](storage::Result<std::optional<std::string>> found) mutable {
                   if (!found) return request.fail(StanzaError::storage_failed());
                   xml::Element query("query", ns_private);
                   if (*found) {
                     auto stored = xml::parse_element(**found);
                     if (!stored) return request.fail(StanzaError::of(Condition::internal_server_error));
                     query.add(*std::move(stored));
                   } else {
                     const xml::Element& asked = *request.payload().first_child();
                     query.add(xml::Element(asked.name(), asked.ns()));
                   }
                   request.reply(std::move(query));
                 });
}

void PrivateXml::set(module::IqRequest request) {
  const auto child = only_child(request.payload());
  if (!child) return request.fail(child.error());
  std::string document = xml::to_string(**child);
  if (document.size() > limits_.private_xml_bytes) {
    events_.limit_hit("private_xml_bytes");
    return request.fail({ErrorType::modify, Condition::policy_violation,
                         "At most " + std::to_string(limits_.private_xml_bytes) + " bytes can be stored."});
  }
  if (taken_over(request)) return;
  module::Account& account = *request.account();
  Sets& sets = account.attachments().get<Sets>();
  std::string key = key_of(**child);
  sets.waiting.push_back({.request = std::move(request), .key = std::move(key), .document = std::move(document)});
  if (!sets.under_way) set_next(account);
}

void PrivateXml::set_next(module::Account& account) {
  Sets& sets = account.attachments().get<Sets>();
  sets.under_way = !sets.waiting.empty();
  if (!sets.under_way) return;
  Sets::One& next = sets.waiting.front();
  const xmpp::BareJid owner = account.jid();
  documents_.get(owner, kind, next.key,
                 [this, owner, request = std::move(next.request), key = next.key,
                  document = std::move(next.document)](storage::Result<std::optional<std::string>> found) mutable {
                   module::Account* there = accounts_.loaded(owner);
                   if (!found || there == nullptr) {
                     request.fail(StanzaError::storage_failed());
                   } else if (!*found) {
                     return set_new(std::move(request), std::move(key), std::move(document));
                   } else {
                     put(std::move(request), *there, key, std::move(document));
                   }
                   if (there != nullptr) set_next(*there);
                 });
  sets.waiting.pop_front();
}

void PrivateXml::set_new(module::IqRequest request, std::string key, std::string document) {
  const xmpp::BareJid owner = xmpp::BareJid::of(request.from());
  documents_.count(owner, kind,
                   [this, owner, key = std::move(key), document = std::move(document),
                    request = std::move(request)](storage::Result<std::uint64_t> counted) mutable {
                     module::Account* account = accounts_.loaded(owner);
                     if (account == nullptr) return request.fail(StanzaError::storage_failed());
                     if (counted) {
                       put_new(std::move(request), *account, *counted, key, std::move(document));
                     } else {
                       request.fail(StanzaError::storage_failed());
                     }
                     set_next(*account);
                   });
}

void PrivateXml::put_new(module::IqRequest request, module::Account& account, std::uint64_t counted,
                         const std::string& key, std::string document) {
  auto& entries = account.attachments().get<Entries>();
  if (!entries.count) entries.count = counted;
  if (*entries.count >= limits_.private_xml_entries) {
    events_.limit_hit("private_xml_entries");
    return request.fail({ErrorType::cancel, Condition::policy_violation,
                         "At most " + std::to_string(limits_.private_xml_entries) + " documents can be stored."});
  }
  ++*entries.count;
  put(std::move(request), account, key, std::move(document));
}

void PrivateXml::put(module::IqRequest request, module::Account& account, const std::string& key,
                     std::string document) {
  const storage::Ticket ticket = account.wrote(documents_.put(account.jid(), kind, key, std::move(document)));
  delivery_.when_decided(ticket, [this, owner = account.jid()](bool committed) {
    if (committed) return;
    // What the count says may be wrong now: it is asked anew.
    if (module::Account* found = accounts_.loaded(owner)) found->attachments().get<Entries>().count.reset();
  });
  request.reply({}, ticket);
}

}  // namespace kith::modules
