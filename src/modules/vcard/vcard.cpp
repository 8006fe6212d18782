#include "modules/vcard/vcard.h"

#include <optional>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
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

constexpr const char* kind = "vcard";
constexpr const char* key = "";

/// The hash of the account's photo, as far as it is known.
struct Avatar {
  enum class State { unknown, asked, known } state = State::unknown;
  std::string hash;
};

}  // namespace

std::string photo_hash(const xml::Element& vcard) {
  const xml::Element* photo = vcard.child("PHOTO", Vcard::ns_vcard);
  const xml::Element* binval = photo == nullptr ? nullptr : photo->child("BINVAL", Vcard::ns_vcard);
  if (binval == nullptr) return {};
  std::string text = binval->text();
  // XEP-0153 §4.6: lines may be broken anywhere.
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  const std::optional<std::string> image = base64_decode(text);
  if (!image || image->empty()) return {};
  return hex_encode(sha1(*image));
}

void Vcard::attach(module::Hooks& hooks) {
  hooks.on_iq(Target::account, Access::anyone, StanzaType::get, "vCard", ns_vcard, this, &Vcard::get);
  hooks.on_iq(Target::account, Access::unguarded, StanzaType::set, "vCard", ns_vcard, this, &Vcard::set);
  hooks.on<module::SessionBound>(this, &Vcard::bound);
  hooks.on<module::PresenceFromClient>(module::Phase::annotate, this, &Vcard::add_hash);
}

void Vcard::get(module::IqRequest request) {
  const xmpp::BareJid owner = request.account()->jid();
  const bool own = xmpp::BareJid::of(request.from()) == owner;
  documents_.get(owner, kind, key,
                 [own, request = std::move(request)](storage::Result<std::optional<std::string>> found) mutable {
                   if (!found) return request.fail(StanzaError::storage_failed());
                   if (*found) {
                     auto stored = xml::parse_element(**found);
                     if (!stored) return request.fail(StanzaError::of(Condition::internal_server_error));
                     return request.reply(*std::move(stored));
                   }
                   if (own) return request.reply(xml::Element("vCard", ns_vcard));
                   // XEP-0054 §3.3: as for an account that does not exist.
                   request.fail(StanzaError::of(Condition::service_unavailable));
                 });
}

void Vcard::set(module::IqRequest request) {
  module::Account* account = request.account();
  // XEP-0054 §3.2: forbidden, whether there is such an account or not.
  if (account == nullptr || xmpp::BareJid::of(request.from()) != account->jid()) {
    return request.fail(StanzaError::of(Condition::forbidden));
  }
  std::string document = xml::to_string(request.payload());
  if (document.size() > limits_.vcard_bytes) {
    events_.limit_hit("vcard_bytes");
    return request.fail({ErrorType::modify, Condition::policy_violation,
                         "A vCard can have " + std::to_string(limits_.vcard_bytes) + " bytes at most."});
  }
  auto& avatar = account->attachments().get<Avatar>();
  avatar = {.state = Avatar::State::known, .hash = photo_hash(request.payload())};
  const storage::Ticket ticket = account->wrote(documents_.put(account->jid(), kind, key, std::move(document)));
  delivery_.when_decided(ticket, [this, owner = account->jid()](bool committed) {
    if (committed) return;
    // The old card is still the one that is stored: what is its hash is asked at the next login.
    if (module::Account* found = accounts_.loaded(owner)) found->attachments().get<Avatar>() = {};
  });
  request.reply({}, ticket);
}

void Vcard::bound(module::SessionBound& event) {
  module::Account& account = event.session.account();
  auto& avatar = account.attachments().get<Avatar>();
  if (avatar.state != Avatar::State::unknown) return;
  avatar.state = Avatar::State::asked;
  documents_.get(account.jid(), kind, key,
                 [this, owner = account.jid()](storage::Result<std::optional<std::string>> found) {
                   module::Account* loaded = accounts_.loaded(owner);
                   if (loaded == nullptr) return;
                   auto& asked = loaded->attachments().get<Avatar>();
                   if (asked.state != Avatar::State::asked) return;  // the owner has set a card meanwhile
                   if (!found) {
                     asked = {};
                     return;
                   }
                   asked.state = Avatar::State::known;
                   if (!*found) return;
                   const auto stored = xml::parse_element(**found);
                   if (stored) asked.hash = photo_hash(*stored);
                 });
}

module::Outcome Vcard::add_hash(module::PresenceFromClient& event) {
  if (event.stanza.type() != StanzaType::available || event.stanza.to()) return module::Next{};
  // XEP-0153 §4.1: what a client says itself stands, even if it says that it is not ready to say.
  if (event.stanza.element().child("x", ns_update) != nullptr) return module::Next{};
  const auto* avatar = event.session.account().attachments().find<Avatar>();
  if (avatar == nullptr || avatar->hash.empty()) return module::Next{};
  xml::Element update("x", ns_update);
  update.add_text_child("photo", avatar->hash);
  event.stanza.edit().add(std::move(update));
  return module::Next{};
}

}  // namespace kith::modules
