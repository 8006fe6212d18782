#include "net/certificates.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <utility>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "net/certificate_files.h"

namespace kith::net {
namespace {

struct Place {
  std::filesystem::path certificate;
  std::filesystem::path key;
};

/// Where the pair of this name lies in `directory`, if it does.
std::optional<Place> find_place(const std::filesystem::path& directory, const std::string& name) {
  const std::filesystem::path base = directory / name;
  const Place places[] = {{base / "fullchain.pem", base / "privkey.pem"},
                          {directory / (name + ".crt"), directory / (name + ".key")},
                          {directory / (name + ".pem"), directory / (name + ".pem")}};
  std::error_code error;
  for (const Place& place : places) {
    if (std::filesystem::exists(place.certificate, error)) return place;
  }
  return {};
}

/// example.org for chat.example.org; nothing for example.org, whose parent's certificate is none of ours.
std::string parent_of(const std::string& domain) {
  const std::size_t dot = domain.find('.');
  if (dot == std::string::npos || domain.find('.', dot + 1) == std::string::npos) return {};
  return domain.substr(dot + 1);
}

bool covers_name(const CertificateFacts& facts, std::string_view name) {
  return std::ranges::any_of(facts.names,
                             [&](const std::string& pattern) { return certificate_name_covers(pattern, name); });
}

std::string day_of(WallTime time) { return fmt::format("{:%F}", std::chrono::floor<std::chrono::seconds>(time)); }

/// The name as certificates are looked up by: lower case, no dot at the end.
std::string host_key(std::string_view name) {
  if (name.ends_with('.')) name.remove_suffix(1);
  std::string key(name);
  std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return key;
}

using Problems = std::vector<CertificateProblem>;

/// The best usable pair for `domain`, with what is to be said about it and about those passed over.
std::optional<LoadedPair> load_for(const CertificateStore::Settings& settings, const std::string& domain,
                                   Problems& problems) {
  for (std::string name = domain; !name.empty(); name = parent_of(name)) {
    for (const std::filesystem::path& directory : settings.directories) {
      const std::optional<Place> place = find_place(directory, name);
      if (!place) continue;
      auto pair = load_pair(place->certificate, place->key, settings.require_private_keys);
      if (!pair) {
        if (name == domain) problems.push_back({LogLevel::error, pair.error()});
        continue;
      }
      if (!covers_name(pair->facts, domain)) {
        if (name != domain) continue;
        problems.push_back({LogLevel::warning, fmt::format("{} doesn't name {}: clients will refuse it.",
                                                           place->certificate.string(), domain)});
      }
      if (!pair->warning.empty()) problems.push_back({LogLevel::warning, pair->warning});
      pair->facts.domain = domain;
      return std::move(*pair);
    }
  }
  return {};
}

bool valid_at(const CertificateFacts& facts, WallTime now) { return facts.not_before <= now && now < facts.not_after; }

}  // namespace

struct CertificateStore::Set {
  std::map<std::string, LoadedPair, std::less<>> by_domain;
  std::shared_ptr<ssl_ctx_st> fallback;
};

CertificateStore::CertificateStore(Settings settings, const Clock& clock)
    : clock_(clock), settings_(std::move(settings)), set_(std::make_shared<Set>()) {}

CertificateStore::~CertificateStore() = default;

std::shared_ptr<const CertificateStore::Set> CertificateStore::current() const {
  const std::lock_guard lock(mutex_);
  return set_;
}

std::vector<CertificateProblem> CertificateStore::reload() {
  std::unique_lock lock(mutex_);
  Settings same = settings_;
  lock.unlock();
  return reload(std::move(same));
}

std::vector<CertificateProblem> CertificateStore::reload(Settings settings) {
  const std::lock_guard one_at_a_time(reload_mutex_);
  const std::shared_ptr<const Set> before = current();
  const WallTime now = clock_.wall();
  Problems problems;
  auto after = std::make_shared<Set>();
  for (const std::string& domain : settings.domains) {
    const auto had = before->by_domain.find(domain);
    const bool had_one = had != before->by_domain.end();
    std::optional<LoadedPair> pair = load_for(settings, domain, problems);
    if (pair && !valid_at(pair->facts, now)) {
      const bool early = now < pair->facts.not_before;
      const WallTime day = early ? pair->facts.not_before : pair->facts.not_after;
      problems.push_back({LogLevel::error, fmt::format("{} {} on {}.", pair->facts.file.string(),
                                                       early ? "becomes valid only" : "expired", day_of(day))});
      // Better an expired certificate than none; but no swap of a good one for it.
      if (had_one && valid_at(had->second.facts, now)) pair.reset();
    } else if (!pair && !had_one) {
      problems.push_back({LogLevel::error, "There is no certificate for " + domain + " that can be used."});
    } else if (!pair) {
      problems.push_back({LogLevel::warning, "The certificate that was in use for " + domain + " stays in use."});
    }
    if (pair) {
      after->by_domain.emplace(domain, std::move(*pair));
    } else if (had_one) {
      after->by_domain.insert(*had);
    }
  }
  if (!settings.domains.empty()) {
    const auto first = after->by_domain.find(settings.domains.front());
    if (first != after->by_domain.end()) after->fallback = first->second.context;
  }
  if (!after->fallback && !after->by_domain.empty()) after->fallback = after->by_domain.begin()->second.context;
  const std::lock_guard lock(mutex_);
  settings_ = std::move(settings);
  set_ = std::move(after);
  return problems;
}

std::shared_ptr<ssl_ctx_st> CertificateStore::default_context() const { return current()->fallback; }

std::shared_ptr<ssl_ctx_st> CertificateStore::context_for(std::string_view asked) const {
  const std::shared_ptr<const Set> set = current();
  const std::string name = host_key(asked);
  if (const auto own = set->by_domain.find(name); own != set->by_domain.end()) return own->second.context;
  for (const auto& [domain, pair] : set->by_domain) {
    if (covers_name(pair.facts, name)) return pair.context;
  }
  return nullptr;
}

std::vector<CertificateFacts> CertificateStore::facts() const {
  const std::shared_ptr<const Set> set = current();
  std::vector<CertificateFacts> all;
  for (const auto& [domain, pair] : set->by_domain) all.push_back(pair.facts);
  return all;
}

bool CertificateStore::covers(std::string_view domain) const { return current()->by_domain.contains(host_key(domain)); }

bool certificate_name_covers(std::string_view pattern, std::string_view name) {
  if (pattern == name) return true;
  if (!pattern.starts_with("*.")) return false;
  const std::size_t dot = name.find('.');
  // The star stands for one whole label, and not for a name directly below a top-level domain.
  return dot != std::string_view::npos && dot > 0 && name.substr(dot) == pattern.substr(1) &&
         pattern.find('.', 2) != std::string_view::npos;
}

}  // namespace kith::net
