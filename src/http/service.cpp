#include "http/service.h"

#include <algorithm>

#include "http/connection.h"

namespace kith::http {

HttpService::HttpService(HttpDeps deps, HttpSettings settings)
    : deps_(std::move(deps)),
      settings_(std::move(settings)),
      open_(deps_.events.gauge("kith_http_connections", "Open HTTP connections.")),
      requests_(deps_.events.counter("kith_http_requests_total", "HTTP requests.")),
      failures_(deps_.events.counter("kith_http_failures_total", "HTTP requests that the server failed to answer.")) {}

HttpService::~HttpService() {
  here_.reset();
  connections_.clear();
}

void HttpService::accept(std::unique_ptr<net::Transport> transport, bool tls, std::shared_ptr<void> place) {
  const std::uint64_t id = ++ids_;
  net::Transport& link = *transport;
  auto made = std::make_unique<HttpConnection>(*this, id, std::move(transport), std::move(place));
  HttpConnection& self = *made;
  connections_.emplace(id, std::move(made));
  open_.add(1);
  link.set_handler(&self);
  self.start(tls);
  if (stopping_) self.stop();
}

void HttpService::shut_down() {
  stopping_ = true;
  for (auto& [id, connection] : connections_) connection->stop();
}

HttpConnection* HttpService::find(std::uint64_t id) const {
  const auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second.get();
}

void HttpService::remove_soon(std::uint64_t id) {
  // Never inside a call from the transport or to the connection.
  deps_.shard.post([this, id] {
    const auto found = connections_.find(id);
    if (found == connections_.end()) return;
    const std::unique_ptr<HttpConnection> gone = std::move(found->second);
    connections_.erase(found);
    open_.add(-1);
  });
}

bool HttpService::trusts(const std::string& address) const {
  return std::ranges::find(settings_.trusted_proxies, address) != settings_.trusted_proxies.end();
}

const module::HttpHandler* HttpService::handler(const std::string& host, std::string_view path) const {
  const module::HttpHandler* best = nullptr;
  for (const module::HttpHandler& page : deps_.hooks.pages()) {
    const module::HttpRoute& route = page.route;
    const bool below = route.subtree && path.starts_with(route.path) &&
                       (route.path.ends_with('/') || path.substr(route.path.size()).starts_with('/'));
    if (path != route.path && !below) continue;
    if (!(route.on_host ? route.on_host(host) : deps_.hosts.is_local(host))) continue;
    if (best == nullptr || route.path.size() > best->route.path.size()) best = &page;
  }
  return best;
}

bool HttpService::serves(const std::string& host) const {
  return deps_.hosts.is_local(host) || std::ranges::any_of(deps_.hooks.pages(), [&](const module::HttpHandler& page) {
           return page.route.on_host && page.route.on_host(host);
         });
}

bool HttpService::may_ask(const std::string& peer_address) {
  if (deps_.rates.take(to_text(network_of(peer_address)), deps_.limits.http_requests_per_address)) return true;
  deps_.events.limit_hit("http_requests_per_address");
  return false;
}

}  // namespace kith::http
