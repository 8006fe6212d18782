#include "stream/upgrade.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/encoding.h"
#include "xmpp/namespaces.h"

namespace kith::stream {

namespace ns = xmpp::ns;

namespace {

struct Task {
  std::string_view name;
  sasl::Hash hash;
};
constexpr std::array<Task, 2> tasks{
    {{"UPGR-SCRAM-SHA-256", sasl::Hash::sha256}, {"UPGR-SCRAM-SHA-512", sasl::Hash::sha512}}};

xml::Element task_data(xml::Element inner) {
  xml::Element data("task-data", ns::sasl2);
  data.add(std::move(inner));
  return data;
}

}  // namespace

std::optional<sasl::Hash> upgrade_named(std::string_view task) {
  const auto* const found = std::ranges::find(tasks, task, &Task::name);
  return found == tasks.end() ? std::nullopt : std::optional(found->hash);
}

std::string_view task_name(sasl::Hash hash) {
  const auto* const found = std::ranges::find(tasks, hash, &Task::hash);
  return found == tasks.end() ? std::string_view() : found->name;
}

void offer_upgrades(xml::Element& authentication) {
  for (const Task& task : tasks) {
    xml::Element upgrade("upgrade", ns_upgrade);
    upgrade.add_text(task.name);
    authentication.add(std::move(upgrade));
  }
}

std::vector<sasl::Hash> read_upgrades(const xml::Element& authenticate) {
  std::vector<sasl::Hash> hashes;
  authenticate.for_each_child([&](const xml::Element& child) {
    if (!child.is("upgrade", ns_upgrade)) return;
    const auto hash = upgrade_named(child.text());
    if (hash && std::ranges::find(hashes, *hash) == hashes.end()) hashes.push_back(*hash);
  });
  return hashes;
}

// §2.3
xml::Element Upgrades::next(std::string_view data) {
  state_ = State::offered;
  xml::Element proceed("continue", ns::sasl2);
  if (!data.empty()) proceed.add_text_child("additional-data", base64_encode(data));
  xml::Element list("tasks", ns::sasl2);
  list.add_text_child("task", task_name(hashes_.front()));
  proceed.add(std::move(list));
  return proceed;
}

// §3
Upgrades::Step Upgrades::received(const xml::Element& element, Random& random) {
  const sasl::Hash hash = hashes_.front();
  if (element.name() == "abort") return sasl::Failure::aborted;
  if (state_ == State::offered) {
    if (element.name() != "next" || element.attribute("task") != task_name(hash))
      return sasl::Failure::malformed_request;
    state_ = State::salted;
    salt_ = sasl::fresh_salt(random);
    xml::Element salt("salt", ns_scram_upgrade);
    salt.set("iterations", std::to_string(sasl::default_iterations)).add_text(base64_encode(salt_));
    return task_data(std::move(salt));
  }
  const xml::Element* const brought =
      state_ == State::salted && element.name() == "task-data" ? element.child("hash", ns_scram_upgrade) : nullptr;
  if (brought == nullptr) return sasl::Failure::malformed_request;
  std::optional<std::string> salted = base64_decode(brought->text());
  if (!salted) return sasl::Failure::incorrect_encoding;
  std::optional<sasl::ScramKeys> keys =
      sasl::keys_of_salted(hash, Secret(*std::move(salted)), salt_, sasl::default_iterations);
  if (!keys) return sasl::Failure::malformed_request;
  state_ = State::storing;
  xmpp::Credentials credentials;
  (hash == sasl::Hash::sha256 ? credentials.sha256 : credentials.sha512) = std::move(keys);
  return credentials;
}

}  // namespace kith::stream
