#include "modules/host_meta/host_meta.h"

#include "xml/writer.h"
#include "xmpp/jid.h"

namespace kith::modules {

using module::HttpReply;

namespace {

constexpr std::string_view websocket_relation = "urn:xmpp:alt-connections:websocket";
/// Seconds for which a client need not ask again; short, since addresses change.
constexpr std::string_view time_to_live = "3600";

/// What is written here has nothing that JSON would escape: hosts in ASCII, addresses, names of ours.
std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

std::optional<std::string> HostMeta::check_address(const std::string& text) {
  const bool characters = text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string::npos;
  if (!text.empty() && characters && (text.contains(':') || text.contains('.'))) return std::nullopt;
  return "\"" + text + "\" is no numeric address, as in \"192.0.2.7\"";
}

void HostMeta::attach(module::Hooks& hooks) {
  hooks.on_http({.path = "/.well-known/host-meta", .cross_origin = true}, this, &HostMeta::give_xml);
  hooks.on_http({.path = "/.well-known/host-meta.json", .cross_origin = true}, this, &HostMeta::give_json);
}

void HostMeta::configure(const module::Settings& settings) {
  addresses_ = settings.texts("addresses");
  direct_tls_port_ = settings.integer("direct_tls_port");
}

/// Empty if there is no way to it that is encrypted: XEP-0156 §2.2 tells of no other.
std::string HostMeta::websocket_of(const module::HttpRequest& request) const {
  const std::string origin = hosts_.web_origin(request.host);
  if (!origin.starts_with("https")) return {};
  return "wss" + origin.substr(5).append(module::websocket_path);
}

void HostMeta::give_xml(module::HttpExchange exchange) {
  HttpReply reply{
      .fields = {{"Content-Type", "application/xrd+xml; charset=utf-8"}, {"Cache-Control", "max-age=3600"}}};
  reply.body = "<?xml version='1.0' encoding='utf-8'?>\n<XRD xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n";
  if (const std::string websocket = websocket_of(exchange.request()); !websocket.empty()) {
    reply.body.append("  <Link rel=\"").append(websocket_relation).append("\" href=\"");
    xml::escape_attribute(reply.body, websocket);
    reply.body += "\"/>\n";
  }
  reply.body += "</XRD>\n";
  exchange.reply(std::move(reply));
}

void HostMeta::give_json(module::HttpExchange exchange) {
  const std::string host = xmpp::domain_to_ascii(exchange.request().host);
  // XEP-0487 §2.1: what each link has besides, or nothing.
  std::string more;
  std::string body = "{";
  if (!addresses_.empty()) {
    body.append("\"xmpp\":{\"ttl\":").append(time_to_live).append("},");
    more = ",\"sni\":" + quoted(host) + ",\"priority\":10,\"weight\":10,\"ips\":[";
    for (std::size_t i = 0; i < addresses_.size(); ++i) more += (i == 0 ? "" : ",") + quoted(addresses_[i]);
    more += "]";
  }
  body += "\"links\":[";
  const std::string websocket = websocket_of(exchange.request());
  if (!websocket.empty()) {
    body += "{\"rel\":" + quoted(websocket_relation) + ",\"href\":" + quoted(websocket) + more + "}";
  }
  if (!addresses_.empty() && direct_tls_port_ != 0) {
    body += websocket.empty() ? "" : ",";
    body += "{\"rel\":\"urn:xmpp:alt-connections:tls\",\"port\":" + std::to_string(direct_tls_port_) + more + "}";
  }
  body += "]}\n";
  exchange.reply(
      {.fields = {{"Content-Type", "application/json"}, {"Cache-Control", "max-age=3600"}}, .body = std::move(body)});
}

}  // namespace kith::modules
