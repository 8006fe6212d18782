#include "house.h"

#include <stdexcept>
#include <utility>

#include "modules/all.h"
#include "sasl/credentials.h"
#include "server/settings.h"

namespace kith::simulation {

namespace {
/// An offline store that messages may be left out of.
bool is_small_store(const Limits& limits) {
  const Limits usual;
  return limits.offline_messages < usual.offline_messages || limits.offline_bytes < usual.offline_bytes;
}
}  // namespace

House::House(Scheduler& scheduler, HouseOptions options, std::uint64_t seed)
    : scheduler_(scheduler),
      options_(std::move(options)),
      database_(directory_.file("kith.db")),
      vfs_name_("simulated-" + database_),
      vfs_(vfs_name_),
      random_(seed ^ 0x6b697468U),
      worker_(scheduler, options_.pace) {
  vfs_.skip_syncs();  // A crash of the process is simulated here, not a power cut.
  for (unsigned i = 0; i < options_.shards; ++i) loops_.push_back(std::make_unique<Loop>(scheduler, options_.pace));
  scheduler_.add(*this);
  start();
}

House::~House() {
  scheduler_.remove(*this);
  stop();
}

void House::start() {
  events_ = std::make_unique<Events>(scheduler_.clock(), LogLevel::error, [this](LogLevel, std::string_view line) {
    if (error_lines_.size() < 100) error_lines_.emplace_back(line);
  });
  storage_ = std::make_unique<storage::SqlStorage>(
      database_, *events_, scheduler_.clock(),
      storage::SqlStorage::Options{
          .mode = storage::SqlStorage::Mode::immediate, .indexed_together = 7, .vfs = vfs_name_});
  storage_->defer();
  guard_ = std::make_unique<session::LoginGuard>(scheduler_.clock(), options_.limits);
  rates_ = std::make_unique<RateTable>(scheduler_.clock(), server::most_rated_names);
  const server::RunJob run_job = [this](Task job) {
    if (worker_.waiting() >= options_.limits.hash_jobs_waiting) return false;
    worker_.post(std::move(job));
    return true;
  };
  checker_ = std::make_unique<server::PasswordCheckWork>(run_job);
  units_.clear();
  units_.resize(options_.shards);
  for (unsigned i = 0; i < options_.shards; ++i) start_unit(i, run_job);
  restoring_ = options_.shards;
  for (unsigned i = 0; i < options_.shards; ++i) {
    loops_[i]->post(
        [this, &runtime = *units_[i].runtime] { runtime.c2s().restore_sessions([this] { --restoring_; }); });
  }
}

server::ShardSettings House::shard_settings() const {
  const auto features = modules::all();
  server::Config config = server::default_config(features);
  server::ShardSettings settings{
      .hosts = {.domains = {options_.domain}, .admins = {}}, .limits = options_.limits, .modules = {}};
  for (const module::Registration& feature : features) {
    const std::string name(feature.descriptor->name);
    // What finds no room in the offline store is left to the archive, which these clients do not read.
    if (name == "archive" && is_small_store(options_.limits)) continue;
    if (const auto changed = options_.settings.find(name); changed != options_.settings.end()) {
      for (const auto& [key, value] : changed->second) config.modules.at(name).settings[key] = value;
    }
    settings.modules.emplace_back(&feature, config.settings_of(name));
  }
  return settings;
}

void House::start_unit(unsigned index, const server::RunJob& run_job) {
  Unit& unit = units_[index];
  Loop& loop = *loops_[index];
  unit.stores = storage_->make_stores(loop);
  unit.refs = std::make_unique<storage::Stores>(unit.stores->stores());
  unit.runtime = std::make_unique<server::ShardRuntime>(
      server::ShardSurroundings{.index = index,
                                .shard = loop,
                                .clock = scheduler_.clock(),
                                .timers = loop.timers(),
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
                                      loops_[shard]->post([this, shard, parcel = std::move(parcel)]() mutable {
                                        units_[shard].runtime->c2s().arrive(std::move(parcel));
                                      });
                                    },
                                .software_version = "simulated",
                                .started = scheduler_.now()},
      shard_settings());
  unit.mailbox = std::make_unique<runtime::Mailbox<router::Crossing>>(
      loop, options_.limits.mailbox_items,
      [&runtime = *unit.runtime](router::Crossing crossing) { runtime.router().receive(std::move(crossing)); });
  storage_->on_decided(loop, [&runtime = *unit.runtime] { runtime.router().commits_advanced(); });
}

void House::stop() {
  // As the daemon does it: iq requests that are dropped unanswered answer themselves, so the routers stand until the
  // last is gone.
  for (const Unit& unit : units_) unit.runtime->router().retire();
  for (const auto& loop : loops_) storage_->forget(*loop);
  storage_->abandon();
  worker_.drop_tasks();
  for (const auto& loop : loops_) loop->drop_tasks();
  units_.clear();
  for (const auto& loop : loops_) loop->drop_tasks();
  storage_.reset();
  disk_at_ = never;
  stopping_ = false;
}

void House::crash(bool amid_commit) {
  if (amid_commit && storage_->writes_gathered() > 0) {
    vfs_.fail(static_cast<int>(scheduler_.dice().between(1, 12)), SQLITE_IOERR_WRITE, true);
    storage_->commit_group(storage_->writes_gathered());
  }
  // Nobody lives to hear of it: what the commit posted is dropped.
  stop();
  vfs_.heal();
  error_lines_.clear();
  start();
}

void House::calm_disk() {
  options_.disk = {};
  storage_->fail_next(0, storage::StorageError::full);
  storage_->fail_next_reads(0);
}

void House::shut_down() {
  stopping_ = true;
  for (unsigned i = 0; i < options_.shards; ++i) {
    loops_[i]->post([&runtime = *units_[i].runtime] { runtime.c2s().shut_down(); });
  }
}

void House::save_sessions() {
  saving_ = options_.shards;
  for (unsigned i = 0; i < options_.shards; ++i) {
    loops_[i]->post([this, &runtime = *units_[i].runtime] { runtime.c2s().save_sessions([this] { --saving_; }); });
  }
}

void House::restart() {
  while (storage_->writes_gathered() > 0) storage_->commit_group(storage_->writes_gathered());
  stop();
  start();
}

void House::at(unsigned shard, std::move_only_function<void(router::Router&)> work) {
  loops_[shard]->post([this, shard, work = std::move(work)]() mutable { work(units_[shard].runtime->router()); });
}

MonotonicTime House::ready_at() {
  if (storage_->writes_gathered() == 0 && storage_->reads_ready() == 0) {
    disk_at_ = never;
  } else if (disk_at_ == never) {
    Dice& dice = scheduler_.dice();
    disk_at_ = scheduler_.now() + dice.between(Duration(1000), dice.chance(options_.disk.stalls) ? options_.disk.stall
                                                                                                 : options_.disk.usual);
  }
  return disk_at_;
}

void House::act() {
  disk_at_ = never;
  Dice& dice = scheduler_.dice();
  const DiskWeather& weather = options_.disk;
  const std::size_t writes = storage_->writes_gathered();
  const std::size_t reads = storage_->reads_ready();
  if (dice.below(writes + reads) < reads) {
    if (dice.chance(weather.failing_reads)) storage_->fail_next_reads(1);
    storage_->read_one();
    return;
  }
  if (dice.chance(weather.refused_writes)) {
    storage_->fail_next(dice.between(1, 4),
                        dice.chance(500) ? storage::StorageError::full : storage::StorageError::unavailable);
    disk_failed_ = true;
  }
  if (dice.chance(weather.failing_commits)) {
    vfs_.fail(static_cast<int>(dice.between(1, 8)), dice.chance(500) ? SQLITE_FULL : SQLITE_IOERR_WRITE,
              dice.chance(500));
    disk_failed_ = true;
  }
  storage_->commit_group(dice.chance(weather.whole_groups) ? writes : dice.between(1, writes));
  vfs_.heal();
}

void House::add_account(const std::string& bare_jid, const std::string& password) {
  const auto jid = xmpp::BareJid::parse(bare_jid);
  if (!jid) throw std::runtime_error("no address: " + bare_jid);
  const Secret prepared = *sasl::prepare_password(password);
  const storage::AccountRecord record{
      .jid = *jid, .credentials = sasl::derive_all(prepared, random_, 1), .created = scheduler_.clock().wall()};
  units_.front().refs->accounts.add(record, [](storage::Result<bool>) {});
  storage_->commit_group(1);
}

std::unique_ptr<net::LinkClient> House::connect(net::LinkOptions options) {
  const auto security =
      options.direct_tls ? stream::Negotiation::Security::direct_tls : stream::Negotiation::Security::starttls_required;
  const unsigned shard = next_shard_++ % options_.shards;
  loops_[shard]->turn_wheel();
  net::Link link = net::make_link(*loops_[shard], std::move(options));
  units_[shard].runtime->c2s().accept(std::move(link.server), security, nullptr);
  return std::move(link.client);
}

std::size_t House::connections() const {
  std::size_t count = 0;
  for (const Unit& unit : units_) count += unit.runtime->c2s().size();
  return count;
}

std::size_t House::loaded_accounts() {
  std::size_t count = 0;
  for (const Unit& unit : units_) count += unit.runtime->router().accounts().size();
  return count;
}

}  // namespace kith::simulation
