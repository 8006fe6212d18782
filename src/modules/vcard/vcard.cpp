#include "modules/vcard/vcard.h"

#include <optional>
#include <utility>
#include <vector>

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
  /// The avatar that was published last and is not in the card yet (XEP-0398): of several, the last counts.
  std::string wanted;
};

/// The image of a card's photo, or nothing.
std::optional<std::string> image_of(const xml::Element& vcard) {
  const xml::Element* photo = vcard.child("PHOTO", Vcard::ns_vcard);
  const xml::Element* binval = photo == nullptr ? nullptr : photo->child("BINVAL", Vcard::ns_vcard);
  if (binval == nullptr) return std::nullopt;
  std::string text = binval->text();
  // XEP-0153 §4.6: lines may be broken anywhere.
  std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
  std::optional<std::string> image = base64_decode(text);
  if (image && image->empty()) image.reset();
  return image;
}

/// What a client says of its photo in a presence: nothing; that it has none or is not ready; or a hash.
std::optional<std::string> said_in(const xml::Element& presence) {
  const xml::Element* update = presence.child("x", Vcard::ns_update);
  const xml::Element* photo = update == nullptr ? nullptr : update->child("photo", Vcard::ns_update);
  if (photo == nullptr) return std::nullopt;
  return photo->text();
}

}  // namespace

std::string photo_hash(const xml::Element& vcard) {
  const std::optional<std::string> image = image_of(vcard);
  if (!image) return {};
  return hex_encode(sha1(*image));
}

void Vcard::attach(module::Hooks& hooks) {
  hooks_ = &hooks;
  hooks.on<module::ItemsPublished>(this, &Vcard::avatar_published);
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
  const std::string before = std::exchange(avatar.hash, photo_hash(request.payload()));
  avatar.state = Avatar::State::known;
  avatar.wanted.clear();
  const bool another = avatar.hash != before;
  const storage::Ticket ticket = account->wrote(documents_.put(account->jid(), kind, key, std::move(document)));
  delivery_.when_decided(ticket, [this, owner = account->jid()](bool committed) {
    if (committed) return;
    // The old card is still the one that is stored: what is its hash is asked at the next login.
    if (module::Account* found = accounts_.loaded(owner)) found->attachments().get<Avatar>() = {};
  });
  request.reply({}, ticket);
  if (!another) return;
  tell(*account);
  if (!account->attachments().get<Avatar>().hash.empty()) publish_photo(*account, request.payload());
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
  if (event.stanza.type() != StanzaType::available) return module::Next{};
  const auto* avatar = event.session.account().attachments().find<Avatar>();
  if (avatar == nullptr || avatar->hash.empty()) return module::Next{};
  // XEP-0398 §5: what a client says itself stands, also that it has none; who says that it is not ready to say is
  // helped.
  if (said_in(event.stanza.content())) return module::Next{};
  xml::Element update("x", ns_update);
  update.add_text_child("photo", avatar->hash);
  xml::Element& presence = event.stanza.edit();
  presence.remove_children([](const xml::Element& child) { return child.is("x", ns_update); });
  presence.add(std::move(update));
  return module::Next{};
}

// --- the avatar (XEP-0398)
// ------------------------------------------------------------------------------------------------

// §4.1
void Vcard::avatar_published(module::ItemsPublished& event) {
  if (event.node != ns_avatar_metadata || event.items.empty()) return;
  const module::Node* data = event.account.nodes().find(ns_avatar_data);
  const module::Node* metadata = event.account.nodes().find(ns_avatar_metadata);
  const xml::Element* payload = event.items.back().first_child();
  if (payload == nullptr || !payload->is("metadata", ns_avatar_metadata) || metadata == nullptr) return;
  // SECURITY: §7: a card is for everybody, and so only an avatar that is may be in it.
  if (metadata->config.access_model != xmpp::AccessModel::open) return;
  auto& avatar = event.account.attachments().get<Avatar>();
  std::string id;
  std::string type;
  payload->for_each_child([&](const xml::Element& info) {
    if (!id.empty() || !info.is("info", ns_avatar_metadata) || info.attribute("url")) return;
    id = info.attribute("id").value_or("");
    type = info.attribute("type").value_or("image/png");
  });
  if (id.empty()) {
    // XEP-0084 §4.2.3: there is no avatar any more.
    avatar.wanted.clear();
    if (payload->child_element_count() == 0 && !avatar.hash.empty()) store_photo(event.account, std::nullopt, {});
    return;
  }
  if (id == avatar.hash || data == nullptr || data->config.access_model != xmpp::AccessModel::open) return;
  avatar.wanted = id;
  put_into_card(event.account, id, type);
}

void Vcard::put_into_card(module::Account& account, const std::string& id, const std::string& type) {
  nodes_.items(account.jid(), std::string(ns_avatar_data), {.ids = {id}, .most = 1, .most_bytes = 1},
               [this, owner = account.jid(), id, type](storage::Result<storage::PubsubPage> found) {
                 module::Account* still = accounts_.loaded(owner);
                 if (still == nullptr || still->attachments().get<Avatar>().wanted != id) return;
                 if (!found || found->items.empty()) return;
                 const auto data = xml::parse_stored_element(found->items.front().payload, {});
                 if (!data || !data->is("data", ns_avatar_data)) return;
                 std::string text = data->text();
                 std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
                 const std::optional<std::string> image = base64_decode(text);
                 // The id must be the image's (XEP-0084 §4.1): it is what everybody will know it by.
                 if (!image || hex_encode(sha1(*image)) != id) return;
                 xml::Element photo("PHOTO", ns_vcard);
                 photo.add_text_child("TYPE", type).add_text_child("BINVAL", text);
                 store_photo(*still, std::move(photo), id);
               });
}

void Vcard::store_photo(module::Account& account, std::optional<xml::Element> photo, const std::string& hash) {
  documents_.get(account.jid(), kind, key,
                 [this, owner = account.jid(), photo = std::move(photo),
                  hash](storage::Result<std::optional<std::string>> found) mutable {
                   module::Account* still = accounts_.loaded(owner);
                   if (still == nullptr || !found) return;
                   auto& avatar = still->attachments().get<Avatar>();
                   if (avatar.wanted != hash) return;
                   const auto stored =
                       *found ? xml::parse_stored_element(**found, {})
                              : std::expected<xml::Element, xml::ParseError>(xml::Element("vCard", ns_vcard));
                   if (!stored) return;
                   xml::Element card = *stored;
                   card.remove_children([](const xml::Element& child) { return child.is("PHOTO", ns_vcard); });
                   if (photo) card.add(*std::move(photo));
                   avatar.state = Avatar::State::known;
                   avatar.hash = hash;
                   avatar.wanted.clear();
                   const storage::Ticket ticket = still->wrote(documents_.put(owner, kind, key, xml::to_string(card)));
                   delivery_.when_decided(ticket, [this, owner](bool committed) {
                     module::Account* back = committed ? nullptr : accounts_.loaded(owner);
                     if (back != nullptr) back->attachments().get<Avatar>() = {};
                   });
                   tell(*still);
                 });
}

// §4.2
void Vcard::publish_photo(module::Account& account, const xml::Element& vcard) {
  const std::optional<std::string> image = image_of(vcard);
  if (!image) return;
  const std::string id = hex_encode(sha1(*image));
  const xml::Element* type = vcard.child("PHOTO", ns_vcard)->child("TYPE", ns_vcard);
  const auto publish = [&](std::string_view node, xml::Element payload) {
    xml::Element item("item", xmpp::ns::pubsub);
    item.set("id", id).add(std::move(payload));
    std::vector<xml::Element> items;
    items.push_back(std::move(item));
    // Everybody may read the card, and so what is made of it.
    module::PublishItems event{.account = account,
                               .node = std::string(node),
                               .items = std::move(items),
                               .config = {.access_model = xmpp::AccessModel::open}};
    hooks_->run(event);
  };
  xml::Element data("data", ns_avatar_data);
  data.add_text(base64_encode(*image));
  publish(ns_avatar_data, std::move(data));
  xml::Element metadata("metadata", ns_avatar_metadata);
  metadata.append_child(xml::Element("info", ns_avatar_metadata))
      .set("id", id)
      .set("type", type == nullptr ? "image/png" : type->text())
      .set("bytes", std::to_string(image->size()));
  publish(ns_avatar_metadata, std::move(metadata));
}

void Vcard::tell(module::Account& account) {
  std::vector<std::string> available;
  for (const auto& session : account.sessions()) {
    if (session->available()) available.emplace_back(session->jid().resourcepart());
  }
  for (const std::string& resource : available) {
    module::Session* session = account.session(resource);
    if (session == nullptr || !session->presence()) continue;
    xmpp::Stanza presence = *session->presence();
    // What the client says itself it will say anew; what was added for it is added anew, with the new hash.
    const std::optional<std::string> said = said_in(presence.content());
    if (said && said->empty()) continue;
    presence.edit().remove_children([](const xml::Element& child) { return child.is("x", ns_update); });
    module::PresenceFromClient event{*session, presence, true};
    hooks_->run(event);
  }
}

}  // namespace kith::modules
