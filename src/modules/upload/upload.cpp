#include "modules/upload/upload.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/digest.h"
#include "base/encoding.h"
#include "module/http_file.h"
#include "modules/upload/putting.h"
#include "xmpp/data_form.h"
#include "xmpp/datetime.h"
#include "xmpp/namespaces.h"

namespace kith::modules {

using module::HttpReply;
using xmpp::Condition;
using xmpp::ErrorType;
using xmpp::StanzaError;
using xmpp::StanzaKind;
using xmpp::StanzaType;
namespace ns = xmpp::ns;

namespace {

constexpr std::array<std::string_view, 3> purposes{"message", "profile", "ephemeral"};

std::int64_t seconds_of(WallTime time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

}  // namespace

Upload::Upload(const module::ModuleDeps& deps)
    : deps_(deps),
      key_(derive_key(deps.secret, "upload slots")),
      uploads_(deps.events.counter("kith_uploads_total", "Files that were uploaded.")) {
  sweep_.set_action([this] { sweep(); });
}

void Upload::attach(module::Hooks& hooks) {
  hooks.serve(*this);
  hooks.on<module::DiscoItems>(module::Phase::validate, this, &Upload::add_item);
  hooks.on<module::AccountGone>(this, &Upload::account_gone);
  hooks.on_http({.path = std::string(path),
                 .subtree = true,
                 .methods = {"GET", "PUT"},
                 .cross_origin = true,
                 .streams = true,
                 .on_host = [this](std::string_view host) { return deps_.hosts.is_local(host) || owns(host); }},
                this, &Upload::serve);
  deps_.timers.schedule(sweep_, std::chrono::minutes(1));
}

void Upload::configure(const module::Settings& settings) {
  const std::string& prefix = settings.text("prefix");
  const std::optional<std::string> prepared = xmpp::prepare_domainpart(prefix);
  if (prepared && prepared->find('.') == std::string::npos && !prepared->starts_with('[')) {
    prefix_ = *prepared;
  } else {
    deps_.events.record(LogLevel::error, "upload_prefix_is_no_name", {{"prefix", prefix}, {"instead", "upload"}});
    prefix_ = "upload";
  }
  own_host_ = settings.boolean("own_host");
  file_bytes_ = static_cast<std::uint64_t>(settings.integer("file_bytes"));
  daily_bytes_ = static_cast<std::uint64_t>(settings.integer("daily_bytes"));
  keep_ = std::chrono::days(settings.integer("keep_days"));
  slot_time_ = std::chrono::seconds(settings.integer("slot_seconds"));
}

bool Upload::owns(std::string_view domainpart) const {
  if (domainpart.size() <= prefix_.size() + 1 || domainpart[prefix_.size()] != '.' || !domainpart.starts_with(prefix_))
    return false;
  return deps_.hosts.is_local(domainpart.substr(prefix_.size() + 1)) && !deps_.hosts.is_local(domainpart);
}

// --- the service
// -----------------------------------------------------------------------------------------------------------------

module::Outcome Upload::add_item(module::DiscoItems& event) {
  const bool whole = event.target == module::Target::server && event.node.empty();
  if (whole && !deps_.hosts.web_origin(event.domain).empty()) {
    event.query.add(xml::Element("item", ns::disco_items)
                        .set("jid", prefix_ + "." + std::string(event.domain))
                        .set("name", "File upload"));
  }
  return module::Next{};
}

void Upload::refuse(const xmpp::Stanza& request, const StanzaError& error) {
  if (auto answer = xmpp::error_reply(request, error)) deps_.delivery.route(*std::move(answer));
}

void Upload::receive(xmpp::Stanza stanza, storage::Ticket, Settled settled) {
  settled({});
  if (stanza.kind() == StanzaKind::presence || !stanza.from()) return;
  const bool to_service = !stanza.to()->has_localpart() && !stanza.to()->is_full();
  if (!stanza.is_iq_request()) {
    if (stanza.kind() == StanzaKind::message) refuse(stanza, StanzaError::of(Condition::service_unavailable));
    return;
  }
  const xml::Element& payload = *stanza.payload();
  const bool get = to_service && stanza.type() == StanzaType::get;
  const bool whole = payload.attribute("node").value_or("").empty();
  if (get && whole && payload.is("query", ns::disco_info)) return describe(stanza);
  if (get && whole && payload.is("query", ns::disco_items))
    return deps_.delivery.route(xmpp::result_reply(stanza, xml::Element("query", ns::disco_items)));
  if (get && payload.is("ping", ns::ping)) return deps_.delivery.route(xmpp::result_reply(stanza));
  if (get && payload.is("request", ns_upload)) return give_slot(stanza);
  refuse(stanza, StanzaError::of(whole ? Condition::service_unavailable : Condition::item_not_found));
}

// XEP-0363 §3.
void Upload::describe(const xmpp::Stanza& request) {
  xml::Element query("query", ns::disco_info);
  query.add(
      xml::Element("identity", ns::disco_info).set("category", "store").set("type", "file").set("name", "File upload"));
  for (const std::string_view feature :
       {std::string_view(ns::disco_info), std::string_view(ns::disco_items), std::string_view(ns::ping), ns_upload}) {
    query.add(xml::Element("feature", ns::disco_info).set("var", std::string(feature)));
  }
  for (const std::string_view purpose : purposes) {
    query.add(xml::Element("feature", ns::disco_info).set("var", std::string(ns_purpose) + "#" + std::string(purpose)));
  }
  query.add(xmpp::DataForm{.type = "result",
                           .fields = {{.var = "FORM_TYPE", .type = "hidden", .values = {std::string(ns_upload)}},
                                      {.var = "max-file-size", .values = {std::to_string(file_bytes_)}}}}
                .to_element());
  deps_.delivery.route(xmpp::result_reply(request, std::move(query)));
}

// XEP-0363 §4, §5.
void Upload::give_slot(const xmpp::Stanza& request) {
  const xmpp::Jid& from = *request.from();
  const std::string domain = std::string(request.to()->domainpart()).substr(prefix_.size() + 1);
  const std::string origin = deps_.hosts.web_origin(own_host_ ? request.to()->domainpart() : std::string_view(domain));
  if (!from.has_localpart() || !deps_.hosts.is_local(from.domainpart())) {
    return refuse(request,
                  StanzaError::of(Condition::forbidden, "Only accounts of this server may upload files here."));
  }
  if (origin.empty()) return refuse(request, StanzaError::of(Condition::service_unavailable));
  const xml::Element& wish = *request.payload();
  const auto bytes = parse_number<std::uint64_t>(wish.attribute("size").value_or(""));
  const std::string_view asked_name = wish.attribute("filename").value_or("");
  if (!bytes || *bytes == 0 || asked_name.empty()) {
    return refuse(request, StanzaError::of(Condition::bad_request, "A name and a size are needed."));
  }
  if (*bytes > file_bytes_ + encryption_bytes) {
    StanzaError error{ErrorType::modify, Condition::not_acceptable,
                      "The file is too large. A file may have " + std::to_string(file_bytes_) + " bytes."};
    error.detail = xml::Element("file-too-large", ns_upload);
    error.detail->add_text_child("max-file-size", std::to_string(file_bytes_));
    return refuse(request, error);
  }
  const WallTime now = deps_.clock.wall();
  storage::UploadRecord record{.id = deps_.random.token(24),
                               .account = std::string(from.bare_text()),
                               .name = clean_name(asked_name),
                               .type = media_type(wish.attribute("content-type").value_or("")),
                               .purpose = "message",
                               .bytes = *bytes,
                               .created = now,
                               .expires = now + slot_time_};
  if (const xml::Element* purpose = wish.child_in(ns_purpose)) {
    record.purpose = std::string(purpose->name());
    if (std::ranges::find(purposes, record.purpose) == purposes.end()) {
      return refuse(request,
                    StanzaError::of(Condition::feature_not_implemented, "There are no files of that purpose."));
    }
    if (record.purpose == "ephemeral") {
      const auto before = xmpp::parse_datetime(purpose->attribute("expire-before").value_or(""));
      if (!before || *before <= now) {
        return refuse(request, StanzaError::of(Condition::bad_request, "The time of its end is none, or is over."));
      }
      record.expire_before = *before;
    }
  }
  const Slot slot{.id = record.id, .name = record.name, .bytes = record.bytes, .until = seconds_of(record.expires)};
  const std::string place = origin + std::string(path) + "/" + slot.id + "/" + module::percent_encode(slot.name);
  deps_.stores.uploads.add(record, now - std::chrono::hours(24), daily_bytes_,
                           [this, request, place, query = slot_query(key_, slot)](storage::Result<bool> added) {
                             if (!added) return refuse(request, StanzaError::storage_failed());
                             if (!*added) {
                               deps_.events.limit_hit("upload_daily_bytes");
                               return refuse(request, {ErrorType::wait, Condition::resource_constraint,
                                                       "That is more than may be uploaded in a day."});
                             }
                             xml::Element answer("slot", ns_upload);
                             answer.add(xml::Element("put", ns_upload).set("url", place + "?" + query));
                             answer.add(xml::Element("get", ns_upload).set("url", place));
                             deps_.delivery.route(xmpp::result_reply(request, std::move(answer)));
                           });
}

// --- HTTP
// ------------------------------------------------------------------------------------------------------------------------

void Upload::serve(module::HttpExchange exchange) {
  // "/upload/ID/NAME"
  const std::string& whole = exchange.request().path;
  const std::size_t slash = whole.find('/', path.size() + 1);
  if (whole.size() <= path.size() + 1 || slash == std::string::npos ||
      whole.find('/', slash + 1) != std::string::npos) {
    return exchange.reply(HttpReply::text(404, "There is nothing here."));
  }
  const std::string id = whole.substr(path.size() + 1, slash - path.size() - 1);
  const std::string name = whole.substr(slash + 1);
  if (!storage::is_file_name(id)) return exchange.reply(HttpReply::text(404, "There is nothing here."));
  if (exchange.request().method == "PUT") return put(std::move(exchange), id, name);
  get(std::move(exchange), id, name);
}

void Upload::get(module::HttpExchange exchange, const std::string& id, const std::string& name) {
  deps_.stores.uploads.find(id, [this, name, exchange = std::move(exchange)](
                                    storage::Result<std::optional<storage::UploadRecord>> found) mutable {
    if (!found) return exchange.reply(HttpReply::text(503, "The file cannot be read now. Try again later."));
    const auto& record = *found;
    const WallTime now = deps_.clock.wall();
    if (!record || !record->stored || record->name != name || record->expires <= now) {
      return exchange.reply(HttpReply::text(404, "There is no such file, or not any more."));
    }
    const auto left = std::chrono::floor<std::chrono::seconds>(record->expires - now);
    deps_.files.open(record->id, [record = *record, left, exchange = std::move(exchange)](
                                     storage::Result<std::unique_ptr<storage::FileReader>> reader) mutable {
      if (!reader) return exchange.reply(HttpReply::text(503, "The file cannot be read now. Try again later."));
      if (!*reader) return exchange.reply(HttpReply::text(404, "There is no such file, or not any more."));
      const module::ServedFile served{.etag = "\"" + record.id + "\"",
                                      .modified = record.created,
                                      .fields = file_fields(record.type, record.name, left)};
      HttpReply reply = file_reply(exchange.request(), served, *std::move(reader));
      exchange.reply(std::move(reply));
    });
  });
}

void Upload::put(module::HttpExchange exchange, const std::string& id, const std::string& name) {
  const module::HttpRequest& request = exchange.request();
  const auto slot = read_slot(key_, id, name, request);
  if (!slot) return exchange.reply(HttpReply::text(403, "This is no address to put a file at."));
  const WallTime now = deps_.clock.wall();
  if (slot->until <= seconds_of(now)) return exchange.reply(HttpReply::text(410, "The time to put the file is over."));
  if (!request.content_length) return exchange.reply(HttpReply::text(411, "The file's length must be said first."));
  if (*request.content_length != slot->bytes) {
    return exchange.reply(HttpReply::text(400, "The file has not the length that was asked for."));
  }
  Putting::begin({.uploads = deps_.stores.uploads,
                  .files = deps_.files,
                  .now = now,
                  .keep = keep_,
                  .profile = profile_time,
                  .done = uploads_},
                 *slot, std::move(exchange));
}

// --- what is over
// ----------------------------------------------------------------------------------------------------------------

void Upload::account_gone(module::AccountGone&) { deps_.timers.schedule(sweep_, std::chrono::seconds(1)); }

void Upload::sweep() {
  deps_.stores.uploads.expired(deps_.clock.wall(), swept_at_once,
                               [this](storage::Result<std::vector<std::string>> ids) {
                                 const bool more = ids && ids->size() == swept_at_once;
                                 deps_.timers.schedule(sweep_, more ? Duration(std::chrono::seconds(1)) : sweep_every);
                                 if (!ids) return;
                                 for (const std::string& id : *ids) swept(id);
                               });
}

/// First the file, then its row: what is not finished is found again.
void Upload::swept(const std::string& id) {
  deps_.files.remove(id, [this, id](storage::Result<bool> removed) {
    if (!removed) return deps_.events.record(LogLevel::error, "upload_not_removed", {{"id", id}});
    deps_.stores.uploads.remove(id, [](storage::Result<bool>) {});
  });
}

}  // namespace kith::modules
