#include "module/archive_query.h"

#include <algorithm>
#include <utility>

#include "xmpp/data_form.h"
#include "xmpp/datetime.h"
#include "xmpp/jid.h"
#include "xmpp/namespaces.h"
#include "xmpp/rsm.h"

namespace kith::module {

namespace {

using storage::ArchiveQuery;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;

constexpr std::string_view ns_forward = "urn:xmpp:forward:0";
constexpr std::string_view ns_validate = "http://jabber.org/protocol/xdata-validate";

std::optional<std::uint64_t> microseconds_from(std::string_view text) {
  const std::optional<WallTime> time = xmpp::parse_datetime(text);
  if (!time) return std::nullopt;
  const std::int64_t count = time->time_since_epoch().count();
  return static_cast<std::uint64_t>(std::max<std::int64_t>(count, 0));
}

StanzaError bad(std::string text) { return {ErrorType::modify, Condition::bad_request, std::move(text)}; }

/// One field of the query's form (§4.1), whose FORM_TYPE must be `kind`.
std::optional<StanzaError> apply_field(const xmpp::FormField& field, std::string_view kind, const ArchiveIdCipher& ids,
                                       ArchiveQuery& query) {
  if (field.var == "FORM_TYPE") {
    if (field.values.size() == 1 && field.values.front() == kind) return std::nullopt;
    return bad("The form is of another kind.");
  }
  if (field.var == "ids") {
    if (field.values.empty() || field.values.size() > ArchiveRequest::most_on_page - query.ids.size())
      return bad("Name 1 to 250 ids.");
    for (const std::string& value : field.values) {
      const auto id = ids.id(value);
      if (!id) return unknown_archive_id();
      query.ids.push_back(*id);
    }
    return std::nullopt;
  }
  // §4.1.1 and on: what a client leaves empty it does not ask for.
  if (field.values.size() > 1) return bad("One value for each field.");
  const std::string_view value = field.values.empty() ? std::string_view() : std::string_view(field.values.front());
  const bool known = field.var == "with" || field.var == "start" || field.var == "end" || field.var == "before-id" ||
                     field.var == "after-id" || field.var == "include-groupchat";
  if (!known) return StanzaError::of(Condition::feature_not_implemented, "There is no such field: " + field.var);
  // No archive has both kinds of messages.
  if (value.empty() || field.var == "include-groupchat") return std::nullopt;
  if (field.var == "with") {
    const std::optional<xmpp::Jid> with = xmpp::Jid::parse(value);
    if (!with) return StanzaError::of(Condition::jid_malformed);
    if (query.with) return bad("One value for each field.");
    query.with = xmpp::BareJid::of(*with);
    query.with_resource = with->resourcepart();
  } else if (field.var == "start" || field.var == "end") {
    const auto when = microseconds_from(value);
    if (!when) return bad("Times are written like 2026-11-26T12:00:00Z.");
    if (field.var == "start") {
      query.above = std::max(query.above, *when == 0 ? 0 : *when - 1);
    } else {
      query.below = std::min(query.below, *when + 1);
    }
  } else {
    const auto id = ids.id(value);
    if (!id) return unknown_archive_id();
    query.must_exist.push_back(*id);
    if (field.var == "after-id") {
      query.above = std::max(query.above, *id);
    } else {
      query.below = std::min(query.below, *id);
    }
  }
  return std::nullopt;
}

std::expected<ArchiveQuery, StanzaError> query_of(const xml::Element& payload, const ArchiveIdCipher& ids,
                                                  std::size_t most_bytes) {
  ArchiveQuery query;
  if (const xml::Element* x = payload.child("x", xmpp::ns::data_forms)) {
    const auto form = xmpp::DataForm::parse(*x);
    if (!form) return std::unexpected(form.error());
    if (form->type != "submit" || form->field("FORM_TYPE") == nullptr)
      return std::unexpected(bad("Submit a form of this kind."));
    for (const xmpp::FormField& field : form->fields) {
      if (auto error = apply_field(field, payload.ns(), ids, query)) return std::unexpected(*std::move(error));
    }
  }
  query.most_bytes = most_bytes;
  return query;
}

/// §4.3: RSM's ids are archive ids.
std::optional<StanzaError> apply_page(const xmpp::PageRequest& page, const ArchiveIdCipher& ids, ArchiveQuery& query) {
  query.most = static_cast<std::size_t>(
      std::min<std::uint64_t>(page.max.value_or(ArchiveRequest::default_on_page), ArchiveRequest::most_on_page));
  query.from_newest = page.before.has_value();
  for (const auto& [named, bound_above] : {std::pair(&page.after, true), std::pair(&page.before, false)}) {
    if (!*named || (*named)->empty()) continue;
    const auto id = ids.id(**named);
    if (!id) return unknown_archive_id();
    query.must_exist.push_back(*id);
    if (bound_above) {
      query.above = std::max(query.above, *id);
    } else {
      query.below = std::min(query.below, *id);
    }
  }
  return std::nullopt;
}

}  // namespace

bool is_archive_namespace(std::string_view ns) {
  return ns == ns::archive || ns == ns::archive_1 || ns == ns::archive_0;
}

std::string archive_stamp(std::uint64_t id) {
  return xmpp::format_datetime(WallTime(std::chrono::microseconds(static_cast<std::int64_t>(id))));
}

std::expected<ArchiveRequest, StanzaError> ArchiveRequest::of(const xml::Element& payload, const ArchiveIdCipher& ids,
                                                              std::size_t most_bytes) {
  if (!payload.attribute("node").value_or("").empty())
    return std::unexpected(StanzaError::of(Condition::item_not_found));
  std::expected<ArchiveQuery, StanzaError> query = query_of(payload, ids, most_bytes);
  if (!query) return std::unexpected(query.error());
  const auto page = xmpp::PageRequest::of(payload);
  if (!page) return std::unexpected(page.error());
  if (auto error = apply_page(*page, ids, *query)) return std::unexpected(*std::move(error));
  const std::string_view ns = payload.ns() == ns::archive_0   ? ns::archive_0
                              : payload.ns() == ns::archive_1 ? ns::archive_1
                                                              : ns::archive;
  return ArchiveRequest{.ids = &ids,
                        .ns = ns,
                        .query_id = std::string(payload.attribute("queryid").value_or("")),
                        .flipped = payload.child("flip-page", payload.ns()) != nullptr,
                        .only_count = page->max == 0U,
                        .query = *std::move(query)};
}

StanzaError unknown_archive_id() {
  return StanzaError::of(Condition::item_not_found, "There is no such message in the archive.");
}

xml::Element archive_fields(std::string_view ns) {
  xmpp::DataForm form{.type = "form",
                      .fields = {{.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns)}},
                                 {.var = "with", .type = "jid-single"},
                                 {.var = "start", .type = "text-single"},
                                 {.var = "end", .type = "text-single"},
                                 {.var = "before-id", .type = "text-single"},
                                 {.var = "after-id", .type = "text-single"},
                                 {.var = "include-groupchat", .type = "boolean"}}};
  xml::Element x = form.to_element();
  // Any ids may be named, not those of a list (XEP-0122).
  xml::Element& ids = x.append_child(xml::Element("field", xmpp::ns::data_forms));
  ids.set("type", "list-multi").set("var", "ids");
  xml::Element validate("validate", ns_validate);
  validate.set("datatype", "xs:string");
  validate.add(xml::Element("open", ns_validate));
  ids.add(std::move(validate));
  xml::Element query("query", ns);
  query.add(std::move(x));
  return query;
}

xml::Element archive_metadata(const std::optional<storage::ArchiveStore::Ends>& ends, const ArchiveIdCipher& ids) {
  xml::Element metadata("metadata", ns::archive);
  if (!ends) return metadata;
  for (const auto& [name, id] : {std::pair("start", ends->first), std::pair("end", ends->last)}) {
    metadata.add(xml::Element(name, ns::archive).set("id", ids.text(id)).set("timestamp", archive_stamp(id)));
  }
  return metadata;
}

xml::Element archive_result(const ArchiveRequest& request, std::uint64_t id, xml::Element message) {
  xml::Element forwarded("forwarded", ns_forward);
  forwarded.add(xml::Element("delay", xmpp::ns::delay).set("stamp", archive_stamp(id)));
  forwarded.add(std::move(message));
  xml::Element result("result", request.ns);
  if (!request.query_id.empty()) result.set("queryid", request.query_id);
  result.set("id", request.ids->text(id));
  result.add(std::move(forwarded));
  return result;
}

xml::Element archive_end(const ArchiveRequest& request, const storage::ArchivePage& page) {
  xml::Element fin("fin", request.ns);
  if (page.complete) fin.set("complete", "true");
  const auto& messages = page.messages;
  fin.add(messages.empty()
              ? xmpp::page_element({}, {})
              : xmpp::page_element(request.ids->text(messages.front().id), request.ids->text(messages.back().id)));
  return fin;
}

xml::Element archive_count(const ArchiveRequest& request, std::uint64_t count) {
  xml::Element fin("fin", request.ns);
  fin.add(xmpp::page_element({}, {}, count));
  return fin;
}

}  // namespace kith::module
