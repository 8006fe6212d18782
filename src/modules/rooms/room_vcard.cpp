// A room's avatar, in a card that its owners write (XEP-0486 v0.1.0, vcard-temp of XEP-0054).
#include <algorithm>
#include <memory>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "modules/rooms/room.h"
#include "xml/stream_parser.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::modules::muc {

using storage::Ticket;
using xmpp::Condition;
using xmpp::StanzaError;

namespace {

constexpr std::string_view client_ns = xmpp::ns::client;

/// XEP-0153 §3.1, of each of the card's photos.
std::vector<std::string> hashes_of(const xml::Element& card) {
  std::vector<std::string> hashes;
  card.for_each_child([&](const xml::Element& photo) {
    const xml::Element* binval = photo.is("PHOTO", ns::vcard) ? photo.child("BINVAL", ns::vcard) : nullptr;
    if (binval == nullptr || hashes.size() == Room::most_avatars) return;
    std::string text = binval->text();
    std::erase_if(text, [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    const auto image = base64_decode(text);
    if (image && !image->empty()) hashes.push_back(hex_encode(sha1(*image)));
  });
  return hashes;
}

}  // namespace

void Room::take_vcard(std::string_view stored) {
  const auto card = xml::parse_stored_element(stored, client_ns);
  avatar_hashes_ = card ? hashes_of(*card) : std::vector<std::string>();
}

void Room::tell_vcard(const xmpp::Stanza& request) {
  if (affiliation_of(*request.from()) == Affiliation::outcast) return refuse(request, Condition::forbidden);
  out_.documents.get(
      jid_, std::string(vcard_kind), "",
      [&delivery = out_.delivery, request](const storage::Result<std::optional<std::string>>& stored) {
        if (!stored) {
          if (auto answer = xmpp::error_reply(request, StanzaError::storage_failed()))
            delivery.route(*std::move(answer));
          return;
        }
        auto card = xml::parse_stored_element(stored->value_or(""), client_ns);
        delivery.route(xmpp::result_reply(request, card ? *std::move(card) : xml::Element("vCard", ns::vcard)));
      });
}

void Room::set_vcard(const xmpp::Stanza& request) {
  if (affiliation_of(*request.from()) != Affiliation::owner) return refuse(request, Condition::forbidden);
  if (locked_) return refuse(request, Condition::not_allowed, "Configure the room first.");
  const xml::Element& card = *request.payload();
  std::string text = xml::to_string(card, client_ns);
  if (text.size() > out_.limits.vcard_bytes) {
    out_.events.limit_hit("vcard_bytes");
    return refuse(request, Condition::not_acceptable, "The card is too big.");
  }
  const Ticket ticket = wrote(out_.documents.put(jid_, std::string(vcard_kind), "", std::move(text)));
  out_.delivery.when_decided(ticket,
                             [this, still = std::weak_ptr(alive_), hashes = hashes_of(card)](bool committed) mutable {
                               if (committed && !still.expired()) avatar_hashes_ = std::move(hashes);
                             });
  tell_status({104}, ticket);
  reply(request, {}, ticket);
}

}  // namespace kith::modules::muc
