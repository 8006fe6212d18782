#include "world.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <unistd.h>

#include "base/encoding.h"
#include "modules/all.h"
#include "sasl/credentials.h"
#include "server/settings.h"
#include "xml/writer.h"
#include "xmpp/namespaces.h"

namespace kith::scenario {

std::optional<xml::Element> WorldClient::next() {
  poll();
  if (inbox_.empty()) return std::nullopt;
  std::optional<xml::Element> first = std::move(inbox_.front());
  inbox_.pop_front();
  return first;
}

void WorldClient::poll() {
  // What leaves may be larger than what came: '<' is written as '&lt;'.
  limits_.element_bytes = std::size_t{16} * 1024 * 1024;
  if (!parser_) restart();
  while (!closed_) {
    auto event = parser_->next();
    if (!event || std::holds_alternative<xml::StreamClose>(*event)) {
      closed_ = true;
    } else if (auto* element = std::get_if<xml::Element>(&*event)) {
      if (answers_pings && element->attribute("type") == "get" && element->child("ping", xmpp::ns::ping) != nullptr &&
          element->attribute("id").value_or("").starts_with("ping-")) {
        send("<iq type='result' id='" + std::string(*element->attribute("id")) + "'/>");
      } else {
        inbox_.push_back(std::move(*element));
      }
    } else if (std::holds_alternative<xml::NeedMore>(*event)) {
      fed_ = link_->take();
      if (fed_.empty()) return;
      parser_->feed(fed_);
    }
  }
}

World::World(WorldOptions options) : options_(std::move(options)) {
  std::string pattern = (std::filesystem::temp_directory_path() / "kith-world-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no directory for temporary files");
  database_ = pattern + "/kith.db";
  start(std::chrono::sys_days{std::chrono::year{2030} / 1 / 1});
}

World::~World() {
  stop();
  loop_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(std::filesystem::path(database_).parent_path(), ignored);
}

void World::start(WallTime wall) {
  loop_ = std::make_unique<runtime::ManualLoop>(wall);
  events_ = std::make_unique<Events>(loop_->clock(), LogLevel::error, [](LogLevel, std::string_view) {});
  storage::SqlStorage::Options storage_options;
  storage_options.mode = storage::SqlStorage::Mode::immediate;
  storage_ = std::make_unique<storage::SqlStorage>(database_, *events_, loop_->clock(), storage_options);
  guard_ = std::make_unique<session::LoginGuard>(loop_->clock(), options_.limits);
  waiting_totals_ = std::make_unique<session::WaitingTotals>();
  rates_ = std::make_unique<RateTable>(loop_->clock(), server::most_rated_names);
  const server::RunJob run_job = [this](Task job) {
    loop_->post(std::move(job));
    return true;
  };
  checker_ = std::make_unique<server::PasswordCheckWork>(run_job);
  std::map<std::string, Secret> secrets;
  for (const auto& [domain, secret] : options_.components) secrets.emplace(domain, Secret(std::string(secret)));
  components_ = secrets.empty() ? nullptr : std::make_unique<session::ComponentPlaces>(secrets);
  const auto features = modules::all();
  server::Config config = server::default_config(features);
  units_.clear();
  units_.resize(options_.shards);
  for (unsigned i = 0; i < options_.shards; ++i) {
    Unit& unit = units_[i];
    unit.stores = storage_->make_stores(*loop_);
    unit.refs = std::make_unique<storage::Stores>(unit.stores->stores());
    server::ShardSettings settings{
        .hosts = {.domains = options_.domains, .admins = {}}, .limits = options_.limits, .modules = {}};
    for (const module::Registration& feature : features) {
      const std::string name(feature.descriptor->name);
      if (options_.features_off.contains(name)) continue;
      if (const auto changed = options_.settings.find(name); changed != options_.settings.end()) {
        for (const auto& [key, value] : changed->second) config.modules.at(name).settings[key] = value;
      }
      settings.modules.emplace_back(&feature, config.settings_of(name));
    }
    unit.runtime = std::make_unique<server::ShardRuntime>(
        server::ShardSurroundings{.index = i,
                                  .shard = *loop_,
                                  .clock = loop_->clock(),
                                  .timers = loop_->timers(),
                                  .random = random_,
                                  .events = *events_,
                                  .stores = *unit.refs,
                                  .commit_log = storage_->commit_log(),
                                  .crossroads = *this,
                                  .rates = *rates_,
                                  .guard = *guard_,
                                  .password_checker = *checker_,
                                  .run_job = run_job,
                                  .server_secret = server_secret_,
                                  .send_off =
                                      [this](unsigned shard, std::unique_ptr<session::Parcel> parcel) {
                                        loop_->post([this, shard, parcel = std::move(parcel)]() mutable {
                                          units_[shard].runtime->c2s().arrive(std::move(parcel));
                                        });
                                      },
                                  .software_version = "test",
                                  .started = loop_->clock().now(),
                                  .federation = federation(),
                                  .components = components_.get()},
        std::move(settings));
    storage_->on_decided(*loop_, [this, i, generation = generation_] {
      if (generation == generation_) units_[i].runtime->router().commits_advanced();
    });
  }
  for (const Unit& unit : units_) unit.runtime->c2s().restore_sessions([] {});
  for (const Unit& unit : units_) {
    if (session::S2sService* streams = unit.runtime->s2s()) streams->restore([] {});
  }
  settle();
}

std::optional<server::ShardSurroundings::Federation> World::federation() {
  if (!options_.servers) return std::nullopt;
  return server::ShardSurroundings::Federation{
      .secret = server_secret_,
      .require_certificates = false,
      .dane = false,
      .onions = false,
      .waiting = *waiting_totals_,
      .resolve =
          [this](const std::string& domain, auto then) {
            session::S2sDeps::Targets targets = std::unexpected(session::NoTargets{"nobody knows it", true});
            if (const auto known = options_.servers->find(domain); known != options_.servers->end()) {
              targets.emplace();
              for (const std::string& address : known->second) targets->push_back({address, 5269});
            }
            loop_->post([then = std::move(then), targets = std::move(targets)]() mutable { then(std::move(targets)); });
          },
      .dial =
          [this](const session::S2sTarget& target) {
            net::Link link = net::make_link(*loop_, {.peer_address = target.address});
            dialled_.emplace(target.address, std::move(link.client));
            return std::move(link.server);
          }};
}

std::unique_ptr<net::LinkClient> World::connect_server(net::LinkOptions link) {
  net::Link made = net::make_link(*loop_, std::move(link));
  units_[next_shard_++ % units_.size()].runtime->s2s()->accept(std::move(made.server), nullptr);
  return std::move(made.client);
}

std::unique_ptr<net::LinkClient> World::connect_component() {
  net::Link made = net::make_link(*loop_, {});
  units_[next_shard_++ % units_.size()].runtime->components()->accept(std::move(made.server));
  return std::move(made.client);
}

std::unique_ptr<net::LinkClient> World::dialled(const std::string& address) {
  const auto found = dialled_.find(address);
  if (found == dialled_.end()) return nullptr;
  std::unique_ptr<net::LinkClient> end = std::move(found->second);
  dialled_.erase(found);
  return end;
}

void World::stop_and_start() {
  for (const Unit& unit : units_) {
    unit.runtime->c2s().shut_down();
    if (session::S2sService* streams = unit.runtime->s2s()) streams->shut_down();
  }
  // Clients that do not close their side are waited for no longer than the daemon would.
  loop_->advance(std::chrono::seconds(8));
  for (const Unit& unit : units_) unit.runtime->c2s().save_sessions([] {});
  settle();
  restart();
}

void World::restart() {
  ++generation_;
  // What waits in the loop is what a crash would lose; the loop goes first to nobody.
  const WallTime wall = loop_->clock().wall();
  stop();
  loop_.reset();
  start(wall);
}

void World::stop() {
  // As the daemon does it: iq requests that are dropped unanswered answer themselves, so the routers stand until the
  // last is gone.
  for (const Unit& unit : units_) unit.runtime->router().retire();
  storage_->forget(*loop_);
  loop_->drop_tasks();
  dialled_.clear();
  units_.clear();
  storage_.reset();
}

bool World::send(unsigned shard, router::Crossing& crossing) {
  if (mailboxes_full_) return false;
  loop_->post([this, shard, crossing = std::move(crossing)]() mutable {
    units_[shard].runtime->router().receive(std::move(crossing));
  });
  return true;
}

void World::at(unsigned shard, std::move_only_function<void(router::Router&)> work) {
  loop_->post([this, shard, work = std::move(work)]() mutable { work(units_[shard].runtime->router()); });
}

void World::settle() { loop_->run_until_idle(); }

void World::advance(Duration by) { loop_->advance(by); }

void World::fail_writes(bool fail) { storage_->fail_next(fail ? 1'000'000 : 0, storage::StorageError::full); }

void World::add_account(const std::string& bare_jid, const std::string& password) {
  add_record(bare_jid, sasl::derive_all(*sasl::prepare_password(password), random_, 1));
}

void World::add_imported_account(const std::string& bare_jid, const std::string& password) {
  add_record(bare_jid, {.sha1 = sasl::derive(sasl::Hash::sha1, *sasl::prepare_password(password), "imported salt", 1),
                        .sha256 = {},
                        .sha512 = {}});
}

void World::add_record(const std::string& bare_jid, xmpp::Credentials credentials) {
  const auto jid = xmpp::BareJid::parse(bare_jid);
  if (!jid) throw std::runtime_error("no address: " + bare_jid);
  const storage::AccountRecord record{
      .jid = *jid, .credentials = std::move(credentials), .created = loop_->clock().wall()};
  units_.front().refs->accounts.add(record, [](storage::Result<bool>) {});
  settle();
}

void World::save_session(const std::string& bare_jid, const session::SavedState& state) {
  save_session(bare_jid, session::to_text(state));
}

void World::save_session(const std::string& bare_jid, std::string text) {
  units_.front().refs->sessions.put(*xmpp::BareJid::parse(bare_jid), std::move(text));
  settle();
}

bool World::has_account(const std::string& bare_jid) {
  bool there = false;
  units_.front().refs->accounts.find(
      *xmpp::BareJid::parse(bare_jid),
      [&](storage::Result<std::optional<storage::AccountRecord>> record) { there = record && record->has_value(); });
  settle();
  return there;
}

std::size_t World::connections() const {
  std::size_t count = 0;
  for (const Unit& unit : units_) count += unit.runtime->c2s().size();
  return count;
}

std::size_t World::sessions(const std::string& bare_jid) {
  const xmpp::BareJid jid = *xmpp::BareJid::parse(bare_jid);
  module::Account* account = units_[router::owner_of(jid, options_.shards)].runtime->router().loaded(jid);
  return account == nullptr ? 0 : account->sessions().size();
}

std::unique_ptr<WorldClient> World::connect(net::LinkOptions options) {
  const auto security =
      options.direct_tls ? stream::Negotiation::Security::direct_tls : stream::Negotiation::Security::starttls_required;
  net::Link link = net::make_link(*loop_, std::move(options));
  units_[next_shard_++ % options_.shards].runtime->c2s().accept(std::move(link.server), security, nullptr);
  return std::make_unique<WorldClient>(std::move(link.client));
}

std::expected<std::unique_ptr<WorldClient>, std::string> World::log_in(const std::string& bare_jid,
                                                                       const std::string& password,
                                                                       const std::string& resource,
                                                                       net::LinkOptions link) {
  const auto jid = xmpp::BareJid::parse(bare_jid);
  if (!jid) return std::unexpected("no address: " + bare_jid);
  const bool direct_tls = link.direct_tls;
  auto client = connect(std::move(link));
  const std::string open =
      "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='" +
      std::string(jid->domainpart()) + "' version='1.0'>";
  const auto expect = [&](std::string_view name) {
    settle();
    const auto element = client->next();
    if (!element) return std::string(name) + " did not come";
    if (element->name() != name) return "instead of " + std::string(name) + ": " + xml::to_string(*element);
    return std::string();
  };
  if (!direct_tls) {
    client->send(open);
    if (auto why = expect("features"); !why.empty()) return std::unexpected(why);
    client->send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    if (auto why = expect("proceed"); !why.empty()) return std::unexpected(why);
    client->restart();
  }
  client->send(open);
  if (auto why = expect("features"); !why.empty()) return std::unexpected(why);
  std::string plain(1, '\0');
  plain += std::string(jid->localpart()) + std::string(1, '\0') + password;
  client->send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + base64_encode(plain) + "</auth>");
  if (auto why = expect("success"); !why.empty()) return std::unexpected(why);
  client->restart();
  client->send(open);
  if (auto why = expect("features"); !why.empty()) return std::unexpected(why);
  client->send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>" +
               (resource.empty() ? std::string() : "<resource>" + resource + "</resource>") + "</bind></iq>");
  settle();
  const auto answer = client->next();
  const xml::Element* bind = answer ? answer->child("bind", xmpp::ns::bind) : nullptr;
  const xml::Element* full = bind == nullptr ? nullptr : bind->child("jid", xmpp::ns::bind);
  if (full == nullptr)
    return std::unexpected("bind failed: " + (answer ? xml::to_string(*answer) : std::string("no answer")));
  client->full_jid = full->text();
  return client;
}

}  // namespace kith::scenario
