// What every archive has in common that is asked by Message Archive Management (XEP-0313 v1.1.3, urn:xmpp:mam:2 and
// #extended, and its older names) and Result Set Management (XEP-0059): reading a query, and the parts of an answer.
// Values, of the shard whose ArchiveIdCipher they are made with.
//
// Limits: a page has at most `most_on_page` messages; bytes are the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "module/archive_id_cipher.h"
#include "storage/storage.h"
#include "xml/element.h"
#include "xmpp/error.h"

namespace kith::module {

namespace ns {
inline constexpr std::string_view archive = "urn:xmpp:mam:2";
/// Clients that know nothing newer ask in these; all but the namespace is the same. In the oldest the end of a page is
/// a message, too (version 0.4 of the XEP).
inline constexpr std::string_view archive_1 = "urn:xmpp:mam:1";
inline constexpr std::string_view archive_0 = "urn:xmpp:mam:0";
inline constexpr std::string_view archive_extended = "urn:xmpp:mam:2#extended";
}  // namespace ns

/// True if a query, or an answer to one, can be of this namespace.
bool is_archive_namespace(std::string_view ns);

/// When what has this id was archived (XEP-0082).
std::string archive_stamp(std::uint64_t id);

/// A `<query/>` of type set, as far as its answer needs it.
struct ArchiveRequest {
  static constexpr std::size_t default_on_page = 50;
  static constexpr std::size_t most_on_page = 250;

  const ArchiveIdCipher* ids = nullptr;  ///< what the answer's ids are written with, as the question's were
  std::string_view ns;                   ///< the one it was asked in
  std::string query_id;
  bool flipped = false;     ///< newest first on the page (§4.3)
  bool only_count = false;  ///< XEP-0059 §2.7
  storage::ArchiveQuery query;

  /// Errors: bad_request (a form of another kind, a time that is none), item_not_found (an id that can be none, a
  /// node), feature_not_implemented (an unknown field), jid_malformed, and those of xmpp::PageRequest.
  static std::expected<ArchiveRequest, xmpp::StanzaError> of(const xml::Element& payload, const ArchiveIdCipher& ids,
                                                             std::size_t most_bytes);
};

/// §4.1: an id that is asked for is not in the archive.
xmpp::StanzaError unknown_archive_id();

/// §4.1.7: the answer to a `<query/>` of type get: which fields one may have.
xml::Element archive_fields(std::string_view ns);
/// `<metadata/>` (§4.4).
xml::Element archive_metadata(const std::optional<storage::ArchiveStore::Ends>& ends, const ArchiveIdCipher& ids);
/// `<result/>` with the message forwarded in it.
xml::Element archive_result(const ArchiveRequest& request, std::uint64_t id, xml::Element message);
/// `<fin/>` of a page.
xml::Element archive_end(const ArchiveRequest& request, const storage::ArchivePage& page);
/// `<fin/>` of a request for the number alone.
xml::Element archive_count(const ArchiveRequest& request, std::uint64_t count);

}  // namespace kith::module
