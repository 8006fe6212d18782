// A feature: a room under modules/ with one class derived from Module, listed by one line in modules/all.cpp.
// Each shard has its own instance. Its descriptor yields the disco features, docs/xeps.md, the DOAP file and the
// configuration reference.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/events.h"
#include "base/limits.h"
#include "base/random.h"
#include "base/rate_table.h"
#include "base/secret.h"
#include "base/timer_wheel.h"
#include "module/archive_id_cipher.h"
#include "module/delivery.h"
#include "module/hooks.h"
#include "storage/files.h"
#include "storage/storage.h"

namespace kith::module {

/// A short list that can stand in a constexpr descriptor.
template <class T, std::size_t most>
class ConstList {
 public:
  constexpr ConstList() = default;
  constexpr ConstList(std::initializer_list<T> items) {
    for (const T& item : items) items_[size_++] = item;  // more than `most` does not compile in a constexpr descriptor
  }
  constexpr const T* begin() const { return items_.data(); }
  constexpr const T* end() const { return items_.data() + size_; }
  constexpr std::size_t size() const { return size_; }

 private:
  std::array<T, most> items_{};
  std::size_t size_ = 0;
};

/// A specification that a feature implements.
struct Spec {
  int xep = 0;                 ///< 0 for an RFC
  std::string_view version{};  ///< "1.0.1", or "RFC 6121"
  std::string_view note{};     ///< what is left out, if anything; for docs/xeps.md
};

/// A key of the feature's section in kith.toml, [modules.NAME].
struct Setting {
  /// secret_file: in the configuration the path of a file, or empty; for the feature the secret in its first line.
  enum class Type : std::uint8_t { boolean, integer, text, text_list, secret_file };
  std::string_view key{};
  Type type = Type::boolean;
  std::string_view unit{};      ///< "seconds", "bytes"; empty if there is none
  std::string_view fallback{};  ///< the default, as it would be written in the file
  std::int64_t least = 0;       ///< bounds, for integers
  std::int64_t most = 0;
  std::string_view help{};  ///< one sentence
  /// Of a text, or of each of a list: why it cannot be that, or nothing.
  std::optional<std::string> (*check)(const std::string& text) = nullptr;
};

struct Descriptor {
  std::string_view name;     ///< the folder's name
  std::string_view summary;  ///< one sentence for people
  ConstList<Spec, 12> specs{};
  ConstList<std::string_view, 12> server_features{};   ///< disco features of the domain
  ConstList<std::string_view, 12> account_features{};  ///< disco features of each account
  ConstList<Setting, 12> settings{};
  bool on_by_default = true;
};

/// The values of a feature's settings, defaults filled in and bounds checked by server/config.
class Settings {
 public:
  using Value = std::variant<bool, std::int64_t, std::string, std::vector<std::string>, Secret>;
  Settings() = default;
  explicit Settings(std::map<std::string, Value, std::less<>> values) : values_(std::move(values)) {}
  /// The value; a key that the descriptor does not have is a bug and throws std::logic_error.
  bool boolean(std::string_view key) const { return get<bool>(key); }
  std::int64_t integer(std::string_view key) const { return get<std::int64_t>(key); }
  const std::string& text(std::string_view key) const { return get<std::string>(key); }
  const std::vector<std::string>& texts(std::string_view key) const { return get<std::vector<std::string>>(key); }
  const Secret& secret(std::string_view key) const { return get<Secret>(key); }

 private:
  template <class T>
  const T& get(std::string_view key) const;
  std::map<std::string, Value, std::less<>> values_;
};

/// The local domains. Changes with a reload of the configuration; a feature asks each time.
class Hosts {
 public:
  virtual ~Hosts() = default;
  /// `domainpart` is prepared.
  virtual bool is_local(std::string_view domainpart) const = 0;
  virtual std::vector<std::string> domains() const = 0;
  /// The bare JIDs of the administrators.
  virtual bool is_admin(const xmpp::BareJid& jid) const = 0;
  virtual std::vector<xmpp::BareJid> admins() const = 0;
  /// Where pages of `host` (a domainpart) are found: "https://example.org:5281"; empty if there is no HTTP.
  virtual std::string web_origin(std::string_view host) const = 0;
};

struct ModuleDeps {
  const Clock& clock;
  Random& random;
  Events& events;
  TimerWheel& timers;
  Delivery& delivery;
  Passwords& passwords;
  Accounts& accounts;
  storage::Stores& stores;
  const ArchiveIdCipher& archive_ids;
  storage::FileStore& files;
  /// The same on all shards and after a restart. A feature makes a key of its own out of it (derive_key()).
  const Secret& secret;
  const Limits& limits;
  /// Rates that all shards count together, by the limit's name and what it is counted for.
  RateTable& rates;
  const Hosts& hosts;
  /// The descriptors of all features that are on, this one's too; complete once all are attached.
  const std::vector<const Descriptor*>& active;
  std::string_view software_version;
  MonotonicTime started;
};

class Module {
 public:
  virtual ~Module() = default;
  virtual void attach(Hooks& hooks) = 0;
  /// Called once before attach() and again at each reload.
  virtual void configure(const Settings& settings) { (void)settings; }
};

/// One line of modules/all.cpp.
struct Registration {
  const Descriptor* descriptor;
  std::unique_ptr<Module> (*make)(const ModuleDeps& deps);
};
template <class M>
constexpr Registration registration() {
  return {&M::descriptor, [](const ModuleDeps& deps) -> std::unique_ptr<Module> { return std::make_unique<M>(deps); }};
}

template <class T>
const T& Settings::get(std::string_view key) const {
  const auto found = values_.find(key);
  if (found == values_.end()) throw std::logic_error("setting without descriptor: " + std::string(key));
  return std::get<T>(found->second);
}

}  // namespace kith::module
